//! A client of rustls 0.23.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use backend_rustls::provider;
pub(crate) use backend_rustls::{Connection, Session, Sessions};
use lab::certificate::Authority;
use lab::server::{Protocol, Server};
use lab::transport::InMemory;
pub(crate) use rustls::client::Resumption;
use rustls::pki_types::ServerName;
pub(crate) use rustls::{ClientConfig, HandshakeKind};
use rustls::{ClientConnection, RootCertStore, Stream, version};

/// The client's end of a connection after its handshake.
pub(crate) struct Client {
    tls: ClientConnection,
    pub(crate) transport: InMemory,
}

pub(crate) fn config(protocol: Protocol, authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der()).unwrap();
    let version = match protocol {
        Protocol::Tls12 => &version::TLS12,
        Protocol::Tls13 => &version::TLS13,
    };
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn handshake(
    server: &Server,
    config: ClientConfig,
    name: &'static str,
) -> Result<Client, String> {
    let name = ServerName::try_from(name).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut transport = InMemory::new(server);
    while tls.is_handshaking() {
        tls.complete_io(&mut transport)
            .map_err(|error| error.to_string())?;
    }
    Ok(Client { tls, transport })
}

impl Client {
    /// The kind of handshake, as rustls reports it.
    pub(crate) fn kind(&self) -> HandshakeKind {
        self.tls.handshake_kind().unwrap()
    }

    /// Sends a request and reads its echo, and with it all tickets sent before.
    pub(crate) fn echo(&mut self) {
        let mut stream = Stream::new(&mut self.tls, &mut self.transport);
        stream.write_all(b"request").unwrap();
        let mut answer = [0; 7];
        while let Err(error) = stream.read_exact(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(&answer, b"request");
    }

    /// The ticket or session id that the server was offered.
    pub(crate) fn ticket(&mut self) -> Option<Vec<u8>> {
        self.transport.server().facts().unwrap().ticket
    }
}
