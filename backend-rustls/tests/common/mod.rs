//! A rustls client on the lab's servers: real handshakes, without a network.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use backend_rustls::{Connection, Sessions, provider};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, Stream, version};
use store_core::{KeyRef, Limits, ManualClock, SecurityDomain, SessionKey, Timestamp};

pub(crate) const NAME: &str = "server.lab.example";

/// Every server library with every version of TLS.
pub(crate) fn all() -> impl Iterator<Item = (Library, Protocol)> {
    let pairs = |library| Protocol::ALL.map(move |protocol| (library, protocol));
    Library::ALL.into_iter().flat_map(pairs)
}

/// A server, a client's config that trusts it, and a store on a clock that stands still.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) config: ClientConfig,
    pub(crate) sessions: Sessions,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) domain: SecurityDomain,
}

/// A client's end of a connection whose handshake is done.
pub(crate) struct Client {
    pub(crate) tls: ClientConnection,
    pub(crate) transport: InMemory,
}

impl World {
    pub(crate) fn new(library: Library, protocol: Protocol) -> Self {
        Self::with(library, protocol, Limits::default(), |_| {})
    }

    pub(crate) fn with(
        library: Library,
        protocol: Protocol,
        limits: Limits,
        change: impl FnOnce(&mut ServerSettings),
    ) -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let names = [NAME, "other.lab.example", "192.0.2.7"];
        let mut settings = ServerSettings::new(authority.issue(&names));
        settings.groups = vec![Group::X25519, Group::P256];
        change(&mut settings);
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(Duration::from_secs(
            1_800_000_000,
        ))));
        Self {
            server: Server::new(library, &settings),
            config: config(protocol, &authority),
            sessions: Sessions::with_clock(limits, clock.clone()).unwrap(),
            clock,
            domain: SecurityDomain::from([7; 32]),
        }
    }

    pub(crate) fn key(&self) -> SessionKey {
        KeyRef::new(&self.domain, NAME).with_port(443).to_key()
    }

    pub(crate) fn connection(&self) -> Arc<Connection> {
        self.sessions.connection(self.key())
    }

    /// Connects and finishes the handshake. Tickets of TLS 1.3 are not read yet.
    pub(crate) fn shake(
        &self,
        resumption: Resumption,
        name: &'static str,
    ) -> Result<Client, String> {
        let mut config = self.config.clone();
        config.resumption = resumption;
        shake(&self.server, config, name)
    }

    /// A whole exchange on a per-connection handle: handshake, settle, request and answer.
    pub(crate) fn exchange(&self, connection: &Arc<Connection>) -> HandshakeKind {
        let mut client = self.shake(connection.resumption(), NAME).unwrap();
        connection.settle(client.kind());
        client.echo();
        client.kind()
    }

    /// The same on a new handle.
    pub(crate) fn visit(&self) -> HandshakeKind {
        self.exchange(&self.connection())
    }

    /// Sessions in the store.
    pub(crate) fn held(&self) -> u64 {
        self.sessions.store().stats().sessions
    }
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

pub(crate) fn shake(
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
    /// rustls's own word.
    pub(crate) fn kind(&self) -> HandshakeKind {
        self.tls.handshake_kind().unwrap()
    }

    /// A request and its answer, with all tickets that come before it.
    pub(crate) fn echo(&mut self) {
        let mut stream = Stream::new(&mut self.tls, &mut self.transport);
        stream.write_all(b"request").unwrap();
        let mut answer = [0; 7];
        while let Err(error) = stream.read_exact(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(&answer, b"request");
    }

    /// The ticket or session id that this client offered, as the server saw it.
    pub(crate) fn ticket(&mut self) -> Option<Vec<u8>> {
        self.transport.server().facts().unwrap().ticket
    }
}
