//! What a claim is checked on: a server, a connector, and a clock that stands still.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use tls_resume::generic::{Connector, ConnectorBuilder, Stream};
use tls_resume::{Backend, Clock, Error, ManualClock, ReadTimeout, Resumption, SystemClock};

use crate::Checked;

/// The names that the server's certificate is for.
pub(crate) const HOST: &str = "one.test";
pub(crate) const OTHER_HOST: &str = "other.test";
pub(crate) const PORT: u16 = 443;

/// Both versions of TLS, for claims that hold in both.
pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Tls12, Protocol::Tls13];

/// A server in this process, and a connector that trusts it.
pub(crate) struct Stage<B: Backend> {
    pub(crate) connector: Connector<B>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Server,
}

impl<B: Backend> Stage<B> {
    /// A stage for one version of TLS, with all defaults.
    pub(crate) fn new(protocol: Protocol) -> Result<Self, String> {
        Self::with(protocol, |_| {}, |builder| builder)
    }

    /// The same with other settings on either side.
    pub(crate) fn with(
        protocol: Protocol,
        serve: impl FnOnce(&mut ServerSettings),
        connect: impl FnOnce(ConnectorBuilder<B>) -> ConnectorBuilder<B>,
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        serve(&mut settings);
        let trusts =
            |builder: ConnectorBuilder<B>| connect(builder.roots([authority().root_der()]));
        Self::between(Server::new(Library::OpenSsl, &settings), trusts)
    }

    /// A connector that does not trust the server.
    pub(crate) fn distrusting(protocol: Protocol) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        let server = Server::new(Library::OpenSsl, &settings);
        Self::between(server, |builder| builder.roots([foreign_root()]))
    }

    /// A server of rustls, which renews its ticket in every TLS 1.2 handshake.
    pub(crate) fn renewing(
        protocol: Protocol,
        connect: impl FnOnce(ConnectorBuilder<B>) -> ConnectorBuilder<B>,
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        let trusts =
            |builder: ConnectorBuilder<B>| connect(builder.roots([authority().root_der()]));
        Self::between(Server::new(Library::Rustls, &settings), trusts)
    }

    fn between(
        server: Server,
        connect: impl FnOnce(ConnectorBuilder<B>) -> ConnectorBuilder<B>,
    ) -> Result<Self, String> {
        // Certificates have real dates, so the clock starts at the real time.
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let builder = Connector::builder().clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let connector = connect(builder).build().map_err(said)?;
        Ok(Self {
            connector,
            clock,
            server,
        })
    }

    /// Makes a handshake and leaves the connection open, its tickets unread.
    pub(crate) fn open(&self, host: &str, port: u16) -> Result<Connection<B>, Error> {
        let wire = Wire {
            memory: InMemory::new(&self.server),
            cut_after_hello: false,
        };
        self.connector
            .connect_stream(host, port, wire)
            .map(Connection)
    }

    /// Makes a handshake, reads the tickets, and closes properly.
    pub(crate) fn visit_at(&self, host: &str, port: u16) -> Result<Visit, String> {
        let mut connection = self.open(host, port).map_err(said)?;
        connection.read_tickets()?;
        let visit = connection.seen()?;
        connection.close()?;
        Ok(visit)
    }

    /// The same with the usual server.
    pub(crate) fn visit(&self) -> Result<Visit, String> {
        self.visit_at(HOST, PORT)
    }

    /// A handshake that the network cuts once the server has heard the client.
    pub(crate) fn visit_cut_off(&self) -> Checked {
        let wire = Wire {
            memory: InMemory::new(&self.server),
            cut_after_hello: true,
        };
        match self.connector.connect_stream(HOST, PORT, wire) {
            Ok(_) => Err("a handshake succeeded over a transport that was cut".into()),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// What was seen of one connection, on both ends.
pub(crate) struct Visit {
    pub(crate) resumption: Resumption,
    /// The ticket or session id that the server was offered.
    pub(crate) ticket: Option<Vec<u8>>,
}

impl Visit {
    pub(crate) fn is(&self, expected: Resumption, when: &str) -> Checked {
        equal(&self.resumption, &expected, when)
    }
}

/// A connection whose handshake is done.
pub(crate) struct Connection<B: Backend>(pub(crate) Stream<B, Wire>);

impl<B: Backend> Connection<B> {
    /// Reads what the server sends by itself, which is the tickets.
    pub(crate) fn read_tickets(&mut self) -> Result<usize, String> {
        self.0
            .wait_for_tickets(Duration::from_secs(1))
            .map_err(said)
    }

    /// What both ends say of the handshake, which must be the same.
    pub(crate) fn seen(&mut self) -> Result<Visit, String> {
        let resumption = self.0.resumption();
        let server = self.0.get_mut().memory.server();
        let Some(Handshake {
            resumed, ticket, ..
        }) = server.facts()
        else {
            return Err("the server has seen no handshake".into());
        };
        equal(
            &resumed,
            &(resumption == Resumption::Resumed),
            "the server's word on resumption",
        )?;
        Ok(Visit { resumption, ticket })
    }

    /// Closes both ways.
    pub(crate) fn close(mut self) -> Checked {
        self.0.close().map_err(said)
    }
}

/// The client's end of a connection to a server in this process.
pub(crate) struct Wire {
    memory: InMemory,
    cut_after_hello: bool,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.memory.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.memory.write(buf)?;
        if self.cut_after_hello {
            self.memory.cut();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.flush()
    }
}

impl ReadTimeout for Wire {
    /// Nothing to do: this transport never waits.
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// Claims that something is as expected, and says what it is if not.
pub(crate) fn equal<T: PartialEq + Debug>(seen: &T, expected: &T, what: &str) -> Checked {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {expected:?} expected, {seen:?} seen"))
}

/// An error in its own words.
pub(crate) fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

fn identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY
        .get_or_init(|| authority().issue(&[HOST, OTHER_HOST]))
        .clone()
}

/// A root that signed nothing here.
fn foreign_root() -> tls_resume::pki_types::CertificateDer<'static> {
    static FOREIGN: OnceLock<Authority> = OnceLock::new();
    FOREIGN
        .get_or_init(|| Authority::new(KeyKind::EcdsaP256))
        .root_der()
}
