//! A connector with a server that misbehaves and another one, and assertions after each handshake.

use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::generic::{Connector, Stream};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{
    Backend, Clock, Error, Limits, ManualClock, ReadTimeout, Resumption, Stats, SystemClock,
};

/// The name of both servers, which differ by their ports.
pub(crate) const HOST: &str = "faulty.test";
/// The port of the server that misbehaves.
pub(crate) const PORT: u16 = 443;
/// The port of a correct server, whose sessions must be unharmed.
pub(crate) const OTHER_PORT: u16 = 444;

/// A backend, with its library's own limits.
pub(crate) trait Client: Backend {
    /// How many tickets in a row it accepts on a connection.
    const MAX_TICKETS_IN_A_ROW: usize = usize::MAX;
    /// The longest lifetime that it reports.
    const LONGEST_LIFETIME: Duration = Duration::MAX;
}

impl Client for OpenSsl {}

impl Client for Rustls {}

impl Client for RustlsPreview {
    /// It fails a connection with more messages in a row without data.
    const MAX_TICKETS_IN_A_ROW: usize = 32;
    /// It caps lifetimes at 7 days, in both versions.
    const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

/// A connector of both versions with a manual clock, and a correct server of which it has sessions.
pub(crate) struct Fixture<B: Backend> {
    connector: Connector<B>,
    limits: Limits,
    clock: Arc<ManualClock>,
    other: Server,
}

impl<B: Backend> Fixture<B> {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        // The real time, for which the certificates are valid.
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let connector = Connector::builder()
            .roots([authority().root_der()])
            .limits(limits.clone())
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .expect("the settings are valid");
        let fixture = Self {
            connector,
            limits,
            clock,
            other: server(Library::OpenSsl, Protocol::Tls13, |_| {}),
        };
        let first = fixture.visit_other();
        assert_eq!(first.resumption, Resumption::Full);
        fixture
    }

    /// Makes a handshake, reads the tickets, and closes the connection.
    pub(crate) fn visit(&self, server: &Server) -> Visit {
        self.visit_over(FaultyTransport::new(server, Fault::None))
            .expect("a handshake without a fault succeeds")
    }

    /// As [`visit`](Self::visit), over a transport that may have a fault.
    pub(crate) fn visit_over(&self, wire: FaultyTransport) -> Result<Visit, Error> {
        let mut connection = self.open(wire)?;
        let visit = connection.visit();
        connection
            .0
            .close()
            .expect("an intact connection is closed");
        Ok(visit)
    }

    /// Makes a handshake, and leaves the connection open and its tickets unread.
    pub(crate) fn open(&self, wire: FaultyTransport) -> Result<Connection<B>, Error> {
        let opened = self.connector.connect_stream(HOST, PORT, Wire(wire));
        self.assert_within_limits();
        opened.map(Connection)
    }

    /// Makes a handshake, which has to fail.
    pub(crate) fn fail(&self, wire: FaultyTransport) -> Error {
        match self.open(wire) {
            Err(error) => error,
            Ok(mut connection) => panic!("the handshake succeeded: {:?}", connection.visit()),
        }
    }

    fn visit_other(&self) -> Visit {
        let wire = Wire(FaultyTransport::new(&self.other, Fault::None));
        let stream = self.connector.connect_stream(HOST, OTHER_PORT, wire);
        Connection(stream.expect("the other server is correct")).visit()
    }

    /// Asserts that the store is within its limits, and that the other server's sessions are
    /// resumed.
    pub(crate) fn assert_unharmed(&self) {
        self.assert_within_limits();
        let again = self.visit_other();
        assert_eq!(again.resumption, Resumption::Resumed, "the other server");
        self.assert_within_limits();
    }

    fn assert_within_limits(&self) {
        let (stats, limits) = (self.stats(), &self.limits);
        let within = |value: u64, limit: usize| value <= limit as u64;
        assert!(within(stats.servers, limits.servers), "{stats:?}");
        assert!(within(stats.bytes, limits.total_bytes), "{stats:?}");
        let most = 2 * (limits.sessions_per_server + 1);
        assert!(within(stats.sessions, most), "of two servers: {stats:?}");
    }

    pub(crate) fn stats(&self) -> Stats {
        self.connector.stats()
    }

    /// The counters' increase during `action`. Gauges have the values after it.
    pub(crate) fn counted(&self, action: impl FnOnce()) -> Stats {
        let before = self.stats();
        action();
        let mut stats = self.stats();
        for (now, then) in [
            (&mut stats.stored, before.stored),
            (&mut stats.offered, before.offered),
            (&mut stats.taken, before.taken),
            (&mut stats.copied, before.copied),
            (&mut stats.missed, before.missed),
            (&mut stats.avoided, before.avoided),
            (&mut stats.resumed, before.resumed),
            (&mut stats.declined, before.declined),
            (&mut stats.failed, before.failed),
            (&mut stats.expired, before.expired),
            (&mut stats.evicted, before.evicted),
            (&mut stats.replaced, before.replaced),
            (&mut stats.removed, before.removed),
            (&mut stats.refused_too_large, before.refused_too_large),
            (
                &mut stats.refused_ticket_too_large,
                before.refused_ticket_too_large,
            ),
            (&mut stats.refused_expired, before.refused_expired),
            (&mut stats.refused_cleared, before.refused_cleared),
        ] {
            *now -= then;
        }
        stats
    }

    /// How many sessions the store had of the server that misbehaves. Removes them.
    pub(crate) fn sessions_of_server(&self) -> u64 {
        let all = self.stats().sessions;
        self.connector.clear_server(HOST, PORT);
        let others = self.stats().sessions;
        all - others
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A handshake, as the client reports it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) protocol: Protocol,
    pub(crate) resumption: Resumption,
    pub(crate) tickets: usize,
    pub(crate) lifetime: Option<Duration>,
}

impl Visit {
    pub(crate) fn is(&self, expected: Resumption) {
        assert_eq!(self.resumption, expected, "{self:?}");
    }
}

/// A connection whose handshake is completed.
pub(crate) struct Connection<B: Backend>(pub(crate) Stream<B, Wire>);

impl<B: Backend> Connection<B> {
    /// Reads the tickets.
    pub(crate) fn read_tickets(&mut self) -> io::Result<usize> {
        // The timeout is not reached: reads do not block.
        self.0.wait_for_tickets(Duration::from_secs(3_600))
    }

    fn visit(&mut self) -> Visit {
        let tickets = self.read_tickets().expect("only tickets arrive");
        let resumption = self.0.resumption();
        let facts = self.0.get_ref().0.server().facts();
        let resumed = facts.is_some_and(|facts| facts.resumed);
        let agreed = resumed == (resumption == Resumption::Resumed);
        assert!(agreed, "the server disagrees with {resumption:?}");
        Visit {
            protocol: self.0.protocol(),
            resumption,
            tickets,
            lifetime: self.0.lifetime(),
        }
    }
}

/// The transport, with the timeouts that the connector requires.
pub(crate) struct Wire(FaultyTransport);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ReadTimeout for Wire {
    /// Does nothing: reads do not block.
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// A server of one version with changed settings.
pub(crate) fn server(
    library: Library,
    protocol: Protocol,
    change: impl FnOnce(&mut ServerSettings),
) -> Server {
    let mut settings = ServerSettings::new(identity());
    settings.protocols = vec![protocol];
    change(&mut settings);
    Server::new(library, &settings)
}

/// A rustls server with this ticketer, which sends one ticket a connection.
pub(crate) fn server_with(protocol: Protocol, ticketer: FaultyTicketer) -> Server {
    server(Library::Rustls, protocol, |settings| {
        settings.tickets = 1;
        settings.rustls.ticketer = Some(Arc::new(ticketer));
    })
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

fn identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| authority().issue(&[HOST])).clone()
}
