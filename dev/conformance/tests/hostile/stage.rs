//! A connector that trusts the servers here, and what is asserted of every visit.

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

/// The name that every server is for; they differ by their ports.
pub(crate) const HOST: &str = "hostile.test";
/// Where the server that misbehaves is.
pub(crate) const PORT: u16 = 443;
/// Where an honest server is, whose sessions must not suffer.
pub(crate) const BYSTANDER: u16 = 444;

/// A backend, with what its library does about servers that misbehave.
pub(crate) trait Client: Backend {
    /// Tickets in a row that it bears on one connection.
    const IN_A_ROW: usize = usize::MAX;
    /// The longest lifetime that it lets anyone see.
    const LONGEST_LIFETIME: Duration = Duration::MAX;
}

impl Client for OpenSsl {}

impl Client for Rustls {}

impl Client for RustlsPreview {
    /// One more message that brings no data, and it breaks the connection.
    const IN_A_ROW: usize = 32;
    /// What is longer it cuts to 7 days, in both versions.
    const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

/// A connector of both versions, with a clock that stands still and an honest server beside the
/// hostile one, which the connector has visited.
pub(crate) struct Stage<B: Backend> {
    connector: Connector<B>,
    limits: Limits,
    clock: Arc<ManualClock>,
    bystander: Server,
}

impl<B: Backend> Stage<B> {
    pub(crate) fn new() -> Self {
        Self::within(Limits::default())
    }

    pub(crate) fn within(limits: Limits) -> Self {
        // Certificates have real dates, so the clock starts at the real time.
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let connector = Connector::builder()
            .roots([authority().root_der()])
            .limits(limits.clone())
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .expect("the settings are valid");
        let stage = Self {
            connector,
            limits,
            clock,
            bystander: server(Library::OpenSsl, Protocol::Tls13, |_| {}),
        };
        let first = stage.visit_bystander();
        assert_eq!(first.resumption, Resumption::Full);
        stage
    }

    /// Makes a handshake, reads the tickets and closes. Fails the test if the handshake fails.
    pub(crate) fn visit(&self, server: &Server) -> Visit {
        self.visit_harmed(FaultyTransport::new(server, Fault::None))
            .expect("an honest handshake succeeds")
    }

    /// The same over a wire of the caller's.
    pub(crate) fn visit_harmed(&self, wire: FaultyTransport) -> Result<Visit, Error> {
        let mut connection = self.open(wire)?;
        let visit = connection.visit();
        connection
            .0
            .close()
            .expect("a connection that is whole closes");
        Ok(visit)
    }

    /// Makes a handshake and leaves the connection open, its tickets unread.
    pub(crate) fn open(&self, wire: FaultyTransport) -> Result<Connection<B>, Error> {
        let opened = self.connector.connect_stream(HOST, PORT, Wire(wire));
        self.is_within_bounds();
        opened.map(Connection)
    }

    /// A handshake that has to fail, because of what the wire does.
    pub(crate) fn visit_in_vain(&self, wire: FaultyTransport) -> Error {
        match self.open(wire) {
            Err(error) => error,
            Ok(mut connection) => panic!("the handshake succeeded: {:?}", connection.visit()),
        }
    }

    fn visit_bystander(&self) -> Visit {
        let wire = Wire(FaultyTransport::new(&self.bystander, Fault::None));
        let stream = self.connector.connect_stream(HOST, BYSTANDER, wire);
        Connection(stream.expect("the bystander is honest")).visit()
    }

    /// Asserts what holds after anything that a server did.
    pub(crate) fn is_unharmed(&self) {
        self.is_within_bounds();
        let again = self.visit_bystander();
        assert_eq!(again.resumption, Resumption::Resumed, "the bystander");
        self.is_within_bounds();
    }

    fn is_within_bounds(&self) {
        let (stats, limits) = (self.stats(), &self.limits);
        let within = |held: u64, most: usize| held <= most as u64;
        assert!(within(stats.servers, limits.servers), "{stats:?}");
        assert!(within(stats.bytes, limits.total_bytes), "{stats:?}");
        let most = 2 * (limits.sessions_per_server + 1);
        assert!(within(stats.sessions, most), "of two servers: {stats:?}");
    }

    pub(crate) fn stats(&self) -> Stats {
        self.connector.stats()
    }

    /// What the store counted during `work`; what it holds is what it holds afterwards.
    pub(crate) fn counted(&self, work: impl FnOnce()) -> Stats {
        let before = self.stats();
        work();
        let mut stats = self.stats();
        for (now, then) in [
            (&mut stats.stored, before.stored),
            (&mut stats.offered, before.offered),
            (&mut stats.taken, before.taken),
            (&mut stats.copied, before.copied),
            (&mut stats.missed, before.missed),
            (&mut stats.resumed, before.resumed),
            (&mut stats.declined, before.declined),
            (&mut stats.failed, before.failed),
            (&mut stats.expired, before.expired),
            (&mut stats.evicted, before.evicted),
            (&mut stats.replaced, before.replaced),
            (&mut stats.removed, before.removed),
            (&mut stats.refused_too_large, before.refused_too_large),
            (&mut stats.refused_expired, before.refused_expired),
            (&mut stats.refused_cleared, before.refused_cleared),
        ] {
            *now -= then;
        }
        stats
    }

    /// Sessions held of the server that misbehaves, which is cleared to find out: ask last.
    pub(crate) fn held(&self) -> u64 {
        let all = self.stats().sessions;
        self.connector.clear_server(HOST, PORT);
        let others = self.stats().sessions;
        all - others
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// What the client saw of one connection.
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

/// A connection whose handshake is done.
pub(crate) struct Connection<B: Backend>(pub(crate) Stream<B, Wire>);

impl<B: Backend> Connection<B> {
    /// Reads what the server sends by itself, which is the tickets.
    pub(crate) fn read_tickets(&mut self) -> io::Result<usize> {
        // A deadline that is never reached: the wire does not wait.
        self.0.wait_for_tickets(Duration::from_secs(3_600))
    }

    fn visit(&mut self) -> Visit {
        let tickets = self.read_tickets().expect("nothing but tickets comes");
        let resumption = self.0.resumption();
        let facts = self.0.get_ref().0.server().facts();
        let resumed = facts.is_some_and(|facts| facts.resumed);
        let agreed = resumed == (resumption == Resumption::Resumed);
        assert!(agreed, "the server says otherwise than {resumption:?}");
        Visit {
            protocol: self.0.protocol(),
            resumption,
            tickets,
            lifetime: self.0.lifetime(),
        }
    }
}

/// A wire that the connector can be told to read from with a deadline.
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
    /// Nothing to do: this transport never waits.
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// A server of one version with some settings of its own.
pub(crate) fn server(
    library: Library,
    protocol: Protocol,
    serve: impl FnOnce(&mut ServerSettings),
) -> Server {
    let mut settings = ServerSettings::new(identity());
    settings.protocols = vec![protocol];
    serve(&mut settings);
    Server::new(library, &settings)
}

/// A rustls server with tickets of its own, one a connection.
pub(crate) fn server_with(protocol: Protocol, tickets: FaultyTicketer) -> Server {
    server(Library::Rustls, protocol, |settings| {
        settings.tickets = 1;
        settings.rustls.ticketer = Some(Arc::new(tickets));
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
