//! A server and a client in memory. The client is of the version of rustls of `super::client`.

use std::sync::Arc;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol, Server, ServerSettings};
use store_core::{Clock, KeyRef, Limits, ManualClock, SecurityDomain, SessionKey, Timestamp};

use super::client::{Client, ClientConfig, Connection, HandshakeKind, Resumption, Sessions};
use super::client::{config, handshake};

pub(crate) const NAME: &str = "server.lab.example";

/// Each server library with each protocol version.
pub(crate) fn servers() -> impl Iterator<Item = (Library, Protocol)> {
    let pairs = |library| Protocol::ALL.map(move |protocol| (library, protocol));
    Library::ALL.into_iter().flat_map(pairs)
}

/// A server, a client configuration that trusts it, and a store on a manual clock.
pub(crate) struct Fixture {
    pub(crate) authority: Authority,
    pub(crate) server: Server,
    pub(crate) config: ClientConfig,
    pub(crate) sessions: Sessions,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) domain: SecurityDomain,
}

impl Fixture {
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
            authority,
        }
    }

    pub(crate) fn key(&self) -> SessionKey {
        KeyRef::new(&self.domain, NAME).with_port(443).to_key()
    }

    pub(crate) fn connection(&self) -> Arc<Connection> {
        self.sessions.connection(self.key())
    }

    /// Makes a handshake. TLS 1.3 tickets are not yet read.
    pub(crate) fn handshake(
        &self,
        resumption: Resumption,
        name: &'static str,
    ) -> Result<Client, String> {
        let mut config = self.config.clone();
        config.resumption = resumption;
        handshake(&self.server, config, name)
    }

    /// Makes a handshake with this handle, settles it and echoes.
    pub(crate) fn exchange(&self, connection: &Arc<Connection>) -> HandshakeKind {
        let mut client = self.handshake(connection.resumption(), NAME).unwrap();
        connection.settle(client.kind());
        client.echo();
        client.kind()
    }

    /// Makes an exchange with a new handle.
    pub(crate) fn visit(&self) -> HandshakeKind {
        self.exchange(&self.connection())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sessions in the store.
    pub(crate) fn sessions_in_store(&self) -> u64 {
        self.sessions.store().stats().sessions
    }
}
