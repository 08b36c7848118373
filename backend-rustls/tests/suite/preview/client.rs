//! A client of the rustls preview, which leaves reading and writing to its caller.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use backend_rustls::preview::provider;
pub(crate) use backend_rustls::preview::{Connection, Session, Sessions};
use lab::certificate::Authority;
use lab::server::{Protocol, Server};
use lab::transport::InMemory;
pub(crate) use rustls_next::client::Resumption;
use rustls_next::pki_types::ServerName;
pub(crate) use rustls_next::{ClientConfig, HandshakeKind};
use rustls_next::{ClientConnection, Connection as _, RootCertStore, VecInput};

/// The client's end of a connection after its handshake.
pub(crate) struct Client {
    tls: ClientConnection,
    input: VecInput,
    pub(crate) transport: InMemory,
}

pub(crate) fn config(protocol: Protocol, authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der()).unwrap();
    let mut provider = provider();
    let suites = Arc::make_mut(&mut provider);
    match protocol {
        Protocol::Tls12 => suites.tls13_cipher_suites.to_mut().clear(),
        Protocol::Tls13 => suites.tls12_cipher_suites.to_mut().clear(),
    }
    ClientConfig::builder(provider)
        .with_root_certificates(roots)
        .with_no_client_auth()
        .unwrap()
}

pub(crate) fn handshake(
    server: &Server,
    config: ClientConfig,
    name: &'static str,
) -> Result<Client, String> {
    let name = ServerName::try_from(name).unwrap();
    let mut client = Client {
        tls: Arc::new(config).connect(name).build().unwrap(),
        input: VecInput::default(),
        transport: InMemory::new(server),
    };
    client.send();
    while client.tls.is_handshaking() {
        client.receive()?;
        client.send();
    }
    Ok(client)
}

impl Client {
    /// The kind of handshake, as rustls reports it.
    pub(crate) fn kind(&self) -> HandshakeKind {
        self.tls.handshake_kind().unwrap()
    }

    /// Sends a request and reads its echo, and with it all tickets sent before.
    pub(crate) fn echo(&mut self) {
        self.tls.writer().write_all(b"request").unwrap();
        self.send();
        let mut answer = [0; 7];
        while let Err(error) = self.tls.reader().read_exact(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            self.receive().unwrap();
        }
        assert_eq!(&answer, b"request");
    }

    /// The ticket or session id that the server was offered.
    pub(crate) fn ticket(&mut self) -> Option<Vec<u8>> {
        self.transport.server().facts().unwrap().ticket
    }

    fn send(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.transport).unwrap();
        }
    }

    fn receive(&mut self) -> Result<(), String> {
        self.input
            .read(&mut self.transport)
            .map_err(|it| it.to_string())?;
        let done = self.tls.process_new_packets(&mut self.input);
        done.map(|_| ()).map_err(|error| {
            self.send(); // the alert
            error.to_string()
        })
    }
}
