//! Handshakes over TCP with servers of rustls and OpenSSL, on tokio: what is resumed by s2n-tls's own
//! word and by the server's, and what is not offered.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backend_s2n::{Connector, Error, Session, Sessions, Stream};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Handshake, Library, Protocol, Server, ServerResumption, ServerSettings};
use lab::tcp::TcpServer;
use s2n_tls::{config, security};
use store_core::{
    Clock, Encoded, Entry, Limits, ManualClock, Portable, SecurityDomain, SessionStore,
    SystemClock, Timestamp, Usage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

const HOST: &str = "one.test";
const PORT: u16 = 443;
const LONG: Duration = Duration::from_secs(10);

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

fn settings(protocol: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![protocol],
        ..ServerSettings::new(authority().issue(&[HOST]))
    }
}

fn listen(library: Library, settings: &ServerSettings) -> TcpServer {
    TcpServer::start(Server::new(library, settings)).expect("a free port")
}

/// Every server library with every version.
fn each(mut test: impl FnMut(Library, ServerSettings)) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            test(library, settings(protocol));
        }
    }
}

/// A client, its clock, and what it runs on.
struct World {
    sessions: Sessions,
    clock: Arc<ManualClock>,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        Self::within(Limits::default())
    }

    fn within(limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = SessionStore::new(limits).expect("valid limits");
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            sessions: Sessions::over(Arc::new(store), Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            runtime: runtime.expect("a runtime"),
        }
    }

    /// One that trusts the servers.
    fn connector(&self) -> Connector {
        self.connector_of("one", authority())
    }

    fn connector_of(&self, domain: &str, trusted: &Authority) -> Connector {
        self.blinding(domain, trusted, 0)
    }

    /// One that keeps silent for so many seconds after a failure.
    fn blinding(&self, domain: &str, trusted: &Authority, delay: u32) -> Connector {
        let mut builder = config::Builder::new();
        let policy = &security::DEFAULT_TLS13;
        builder.set_security_policy(policy).expect("a policy");
        builder.with_system_certs(false).expect("own roots");
        let root = trusted.root_pem();
        builder.trust_pem(root.as_bytes()).expect("a root");
        builder.set_max_blinding_delay(delay).expect("a delay");
        let domain = SecurityDomain::builder("test").field("name", domain.as_bytes());
        let attached = self.sessions.attach(builder, domain.finish());
        attached.expect("a configuration")
    }

    fn connect(&self, by: &Connector, to: &TcpServer) -> Result<Stream<TcpStream>, Error> {
        self.connect_at(PORT, by, to)
    }

    /// As if it were at that port.
    fn connect_at(
        &self,
        port: u16,
        by: &Connector,
        to: &TcpServer,
    ) -> Result<Stream<TcpStream>, Error> {
        self.runtime.block_on(async {
            let tcp = TcpStream::connect(to.address()).await.expect("a server");
            by.connect(HOST, port, tcp).await
        })
    }

    /// Sends and has it echoed, whereby tickets are read; both ends must say the same of it.
    fn visit(&self, by: &Connector, to: &TcpServer) -> Handshake {
        self.visit_at(PORT, by, to)
    }

    fn visit_at(&self, port: u16, by: &Connector, to: &TcpServer) -> Handshake {
        let stream = self.connect_at(port, by, to);
        let mut stream = stream.expect("a connection");
        self.runtime.block_on(async {
            stream.write_all(b"hello").await.expect("a write");
            stream.flush().await.expect("a flush");
            let mut echo = [0; 5];
            stream.read_exact(&mut echo).await.expect("a read");
            stream.shutdown().await.expect("a goodbye");
        });
        // The server has echoed, so its handshake is done.
        let handshakes = to.handshakes();
        let handshake = handshakes.last().expect("a handshake").clone();
        assert_eq!(stream.resumed(), handshake.resumed, "by both ends' word");
        handshake
    }

    fn held(&self) -> u64 {
        self.sessions.store().stats().sessions
    }
}

#[test]
fn sessions_are_resumed() {
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        let when = format!("{library} {:?}", settings.protocols);
        assert!(!world.visit(&connector, &server).resumed, "{when}");
        for _ in 0..3 {
            assert!(world.visit(&connector, &server).resumed, "{when}");
        }
        let stats = world.sessions.store().stats();
        assert_eq!((stats.resumed, stats.declined, stats.failed), (3, 0, 0));
    });
}

#[test]
fn a_session_id_is_resumed_though_no_callback_brings_it() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls12);
        settings.resumption = ServerResumption::SessionIds;
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        assert!(!world.visit(&connector, &server).resumed, "{library}");
        assert!(world.visit(&connector, &server).resumed, "{library}");
    }
}

#[test]
fn a_ticket_is_offered_once() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls13);
        settings.tickets = 2;
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        assert_eq!(world.held(), 2, "{library}");
        // Three at once, none of which reads what the server gives it.
        let open = [(); 3].map(|()| world.connect(&connector, &server).expect("a connection"));
        let resumed = open.each_ref().map(Stream::resumed);
        assert_eq!(resumed, [true, true, false], "{library}");
        let handshakes = server.wait_for_handshakes(4, LONG);
        let mut offered: Vec<_> = handshakes
            .iter()
            .filter_map(|it| it.ticket.clone())
            .collect();
        offered.sort();
        offered.dedup();
        assert_eq!(offered.len(), 2, "{library}");
    }
}

#[test]
fn what_has_expired_is_not_offered() {
    each(|library, mut settings| {
        settings.lifetime = Some(Duration::from_mins(10));
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        world.clock.advance(Duration::from_secs(601));
        let handshake = world.visit(&connector, &server);
        assert!(!handshake.offered && !handshake.resumed, "{library}");
        assert_eq!(world.sessions.store().stats().offered, 0, "{library}");
    });
}

/// s2n-tls fails a handshake whose ticket is from the future, be it by a nanosecond.
#[test]
fn a_clock_that_goes_back_fails_no_handshake() {
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        for (back, resumes) in [(400, true), (5_000, false)] {
            let then = world.clock.now().since_epoch();
            let earlier = then.saturating_sub(Duration::from_millis(back));
            world.clock.set(Timestamp::from_unix(earlier));
            let handshake = world.visit(&connector, &server);
            assert_eq!(handshake.resumed, resumes, "{library}: {back} ms back");
        }
        let stats = world.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0), "{library}");
    });
}

#[test]
fn a_server_that_is_not_trusted_leaves_nothing() {
    let other = Authority::new(KeyKind::EcdsaP256);
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector_of("one", &other);
        let refused = world.connect(&connector, &server);
        let Err(Error::Tls(error)) = refused else {
            panic!("{library}: {refused:?}");
        };
        assert_eq!(error.name(), "S2N_ERR_CERT_UNTRUSTED", "{library}");
        assert_eq!(world.sessions.store().stats().stored, 0, "{library}");
    });
}

#[test]
fn another_domain_does_not_find_it() {
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        world.visit(&world.connector(), &server);
        let other = world.connector_of("two", authority());
        let handshake = world.visit(&other, &server);
        assert!(!handshake.offered && !handshake.resumed, "{library}");
        assert!(
            world.visit(&world.connector(), &server).resumed,
            "{library}"
        );
    });
}

#[test]
fn many_tickets_stay_within_bounds() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls13);
        settings.tickets = 64;
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        assert_eq!(world.held(), 64, "{library}");
        world.visit(&connector, &server);
        assert_eq!(
            world.held(),
            64,
            "{library}: {:?}",
            world.sessions.store().stats()
        );
    }
}

/// R16: sessions of s2n-tls are small, so that the bound is, too.
#[test]
fn bytes_are_bounded() {
    const TOTAL: usize = 16 << 10;
    let limits = Limits::default().with_bytes(TOTAL, TOTAL, TOTAL);
    let world = World::within(limits);
    let server = listen(Library::Rustls, &settings(Protocol::Tls13));
    let connector = world.connector();
    for port in 1..=50 {
        world.visit_at(port, &connector, &server);
    }
    let stats = world.sessions.store().stats();
    assert!(stats.bytes <= TOTAL as u64, "{stats:?}");
    assert!((2..50).contains(&stats.servers), "{stats:?}");
}

/// R26: a ticket that allows early data carries none, and is resumed.
#[test]
fn early_data_is_not_sent() {
    let mut settings = settings(Protocol::Tls13);
    settings.max_early_data = 1_024;
    settings.openssl.accepts_replays = true;
    for library in Library::ALL {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        let handshake = world.visit(&connector, &server);
        assert!(handshake.resumed && !handshake.early_data, "{library}");
    }
}

/// A session that s2n-tls cannot read.
fn garbage(usage: Usage, now: Timestamp) -> Entry<Session> {
    let nanos = u64::try_from(now.since_epoch().as_nanos()).expect("a date");
    let encoded = Encoded {
        facts: nanos.to_be_bytes().to_vec(),
        session: b"\x01no session".to_vec().into(),
    };
    let (session, weight) = Session::decode(&encoded, usage).expect("bytes");
    Entry::new(session, usage, None, weight, now)
}

/// R23: what s2n-tls cannot read is no session, and the next one is tried.
#[test]
fn what_cannot_be_read_is_a_miss() {
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        let store = world.sessions.store();
        world.visit(&connector, &server);
        let now = world.clock.now();
        let entry = garbage(Usage::SingleUse, now);
        let key = connector.key(HOST, PORT);
        store
            .put(key, entry, store.generation(), now)
            .expect("it fits");
        assert!(world.visit(&connector, &server).resumed, "{library}");
    });
}

/// R23: the same of a TLS 1.2 session, which does not go by being taken; what the connection is given
/// then is kept.
#[test]
fn a_reusable_one_that_cannot_be_read_is_replaced() {
    for library in Library::ALL {
        let settings = settings(Protocol::Tls12);
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        let (store, now) = (world.sessions.store(), world.clock.now());
        let entry = garbage(Usage::Reusable, now);
        let (key, begun) = (connector.key(HOST, PORT), store.generation());
        store.put(key, entry, begun, now).expect("it fits");
        assert!(!world.visit(&connector, &server).resumed, "{library}");
        assert!(world.visit(&connector, &server).resumed, "{library}");
    }
}

/// R9: s2n-tls keeps silent for a while after a failure. Who does not wait that long has not given up
/// what could still have succeeded.
#[test]
fn a_connect_dropped_after_it_has_failed_has_failed() {
    each(|library, settings| {
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.blinding("one", authority(), 30);
        world.visit(&connector, &server);
        let stranger = ServerSettings {
            identity: Authority::new(KeyKind::EcdsaP256).issue(&[HOST]),
            ..settings
        };
        let stranger = listen(library, &stranger);
        let waited = world.runtime.block_on(async {
            let tcp = TcpStream::connect(stranger.address()).await;
            let connecting = connector.connect(HOST, PORT, tcp.expect("a server"));
            tokio::time::timeout(Duration::from_secs(1), connecting).await
        });
        assert!(waited.is_err(), "it keeps silent");
        let stats = world.sessions.store().stats();
        assert_eq!((stats.cancelled, stats.failed), (0, 1), "{library}");
        assert_eq!(stats.sessions, 0, "{library}");
    });
}

/// A future that is dropped gives the handshake up: the ticket is used up, a TLS 1.2 session stays.
#[test]
fn a_dropped_connect_keeps_what_may_be_used_again() {
    each(|library, mut settings| {
        settings.tickets = 1;
        let (world, server) = (World::new(), listen(library, &settings));
        let connector = world.connector();
        world.visit(&connector, &server);
        let (silent, _far_end) = tokio::io::duplex(1 << 16);
        let waited = world.runtime.block_on(async {
            let connecting = connector.connect(HOST, PORT, silent);
            tokio::time::timeout(Duration::from_millis(10), connecting).await
        });
        assert!(waited.is_err(), "nobody answers");
        let stats = world.sessions.store().stats();
        assert_eq!((stats.cancelled, stats.failed), (1, 0), "{library}");
        let reusable = settings.protocols == [Protocol::Tls12];
        assert_eq!(
            world.visit(&connector, &server).resumed,
            reusable,
            "{library}"
        );
    });
}

#[test]
fn an_address_is_refused_before_anything_is_sent() {
    let world = World::new();
    let connector = world.connector();
    for host in ["127.0.0.1", "[::1]"] {
        let (near, mut far) = tokio::io::duplex(64);
        let refused = world.runtime.block_on(connector.connect(host, PORT, near));
        assert!(matches!(refused, Err(Error::Address)), "{host}");
        let sent = world.runtime.block_on(far.read(&mut [0; 1]));
        assert_eq!(sent.expect("an end"), 0, "{host}");
    }
}
