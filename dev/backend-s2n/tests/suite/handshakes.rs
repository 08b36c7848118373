//! Handshakes over TCP with servers of rustls and OpenSSL, on tokio.

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
const TIMEOUT: Duration = Duration::from_secs(10);

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

/// Runs `test` with each server library and each protocol version.
fn for_each_server(mut test: impl FnMut(Library, ServerSettings)) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            test(library, settings(protocol));
        }
    }
}

/// A session store with its clock, and a runtime.
struct Fixture {
    sessions: Sessions,
    clock: Arc<ManualClock>,
    runtime: Runtime,
}

impl Fixture {
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

    /// A connector that trusts the servers.
    fn connector(&self) -> Connector {
        self.connector_with("one", authority())
    }

    fn connector_with(&self, domain: &str, trusted: &Authority) -> Connector {
        self.connector_with_blinding(domain, trusted, 0)
    }

    /// A connector with a blinding delay of up to `delay` seconds.
    fn connector_with_blinding(&self, domain: &str, trusted: &Authority, delay: u32) -> Connector {
        let mut builder = config::Builder::new();
        let policy = &security::DEFAULT_TLS13;
        builder.set_security_policy(policy).expect("a policy");
        builder.with_system_certs(false).expect("no system roots");
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

    /// Connects under the key of `port`.
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

    /// Connects, echoes, which reads tickets, and closes. Checks that client and server agree on
    /// resumption.
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
            stream.shutdown().await.expect("a close");
        });
        // The server has echoed, so its handshake is done.
        let handshakes = to.handshakes();
        let handshake = handshakes.last().expect("a handshake").clone();
        assert_eq!(
            stream.resumed(),
            handshake.resumed,
            "client and server agree"
        );
        handshake
    }

    fn sessions_in_store(&self) -> u64 {
        self.sessions.store().stats().sessions
    }
}

#[test]
fn sessions_are_resumed() {
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        let when = format!("{library} {:?}", settings.protocols);
        assert!(!fixture.visit(&connector, &server).resumed, "{when}");
        for _ in 0..3 {
            assert!(fixture.visit(&connector, &server).resumed, "{when}");
        }
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.resumed, stats.declined, stats.failed), (3, 0, 0));
    });
}

#[test]
fn a_session_id_is_resumed_although_no_callback_delivers_it() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls12);
        settings.resumption = ServerResumption::SessionIds;
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        assert!(!fixture.visit(&connector, &server).resumed, "{library}");
        assert!(fixture.visit(&connector, &server).resumed, "{library}");
    }
}

#[test]
fn a_ticket_is_offered_once() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls13);
        settings.tickets = 2;
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        assert_eq!(fixture.sessions_in_store(), 2, "{library}");
        // Three at once, which read no tickets.
        let open = [(); 3].map(|()| fixture.connect(&connector, &server).expect("a connection"));
        let resumed = open.each_ref().map(Stream::resumed);
        assert_eq!(resumed, [true, true, false], "{library}");
        let handshakes = server.wait_for_handshakes(4, TIMEOUT);
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
fn expired_sessions_are_not_offered() {
    for_each_server(|library, mut settings| {
        settings.lifetime = Some(Duration::from_mins(10));
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        fixture.clock.advance(Duration::from_secs(601));
        let handshake = fixture.visit(&connector, &server);
        assert!(!handshake.offered && !handshake.resumed, "{library}");
        assert_eq!(fixture.sessions.store().stats().offered, 0, "{library}");
    });
}

/// s2n-tls fails a handshake whose ticket is from the future, even by a nanosecond.
#[test]
fn a_clock_set_back_fails_no_handshake() {
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        for (back, resumes) in [(400, true), (5_000, false)] {
            let then = fixture.clock.now().since_epoch();
            let earlier = then.saturating_sub(Duration::from_millis(back));
            fixture.clock.set(Timestamp::from_unix(earlier));
            let handshake = fixture.visit(&connector, &server);
            assert_eq!(handshake.resumed, resumes, "{library}: {back} ms back");
        }
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0), "{library}");
    });
}

#[test]
fn an_untrusted_server_stores_nothing() {
    let other = Authority::new(KeyKind::EcdsaP256);
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector_with("one", &other);
        let result = fixture.connect(&connector, &server);
        let Err(Error::Tls(error)) = result else {
            panic!("{library}: {result:?}");
        };
        assert_eq!(error.name(), "S2N_ERR_CERT_UNTRUSTED", "{library}");
        assert_eq!(fixture.sessions.store().stats().stored, 0, "{library}");
    });
}

#[test]
fn another_domain_offers_no_session() {
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        fixture.visit(&fixture.connector(), &server);
        let other = fixture.connector_with("two", authority());
        let handshake = fixture.visit(&other, &server);
        assert!(!handshake.offered && !handshake.resumed, "{library}");
        assert!(
            fixture.visit(&fixture.connector(), &server).resumed,
            "{library}"
        );
    });
}

#[test]
fn many_tickets_stay_within_bounds() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls13);
        settings.tickets = 64;
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        assert_eq!(fixture.sessions_in_store(), 64, "{library}");
        fixture.visit(&connector, &server);
        assert_eq!(
            fixture.sessions_in_store(),
            64,
            "{library}: {:?}",
            fixture.sessions.store().stats()
        );
    }
}

/// R16: with a small bound, because sessions of s2n-tls are small.
#[test]
fn bytes_are_bounded() {
    const TOTAL: usize = 16 << 10;
    let limits = Limits::default().with_bytes(TOTAL, TOTAL, TOTAL);
    let fixture = Fixture::within(limits);
    let server = listen(Library::Rustls, &settings(Protocol::Tls13));
    let connector = fixture.connector();
    for port in 1..=50 {
        fixture.visit_at(port, &connector, &server);
    }
    let stats = fixture.sessions.store().stats();
    assert!(stats.bytes <= TOTAL as u64, "{stats:?}");
    assert!((2..50).contains(&stats.servers), "{stats:?}");
}

/// R26: even if the ticket allows it.
#[test]
fn early_data_is_not_sent() {
    let mut settings = settings(Protocol::Tls13);
    settings.max_early_data = 1_024;
    settings.openssl.accepts_replays = true;
    for library in Library::ALL {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        let handshake = fixture.visit(&connector, &server);
        assert!(handshake.resumed && !handshake.early_data, "{library}");
    }
}

/// A session that s2n-tls cannot decode.
fn garbage(usage: Usage, now: Timestamp) -> Entry<Session> {
    let nanos = u64::try_from(now.since_epoch().as_nanos()).expect("a date");
    let encoded = Encoded {
        facts: nanos.to_be_bytes().to_vec(),
        session: b"\x01no session".to_vec().into(),
    };
    let (session, weight) = Session::decode(&encoded, usage).expect("bytes");
    Entry::new(session, usage, None, weight, now)
}

/// R23.
#[test]
fn a_session_that_does_not_decode_is_skipped() {
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        let store = fixture.sessions.store();
        fixture.visit(&connector, &server);
        let now = fixture.clock.now();
        let entry = garbage(Usage::SingleUse, now);
        let key = connector.key(HOST, PORT);
        store
            .put(key, entry, store.generation(), now)
            .expect("the store accepts it");
        assert!(fixture.visit(&connector, &server).resumed, "{library}");
    });
}

/// R23: offering a reusable session does not remove it, so it is removed explicitly.
#[test]
fn a_reusable_session_that_does_not_decode_is_replaced() {
    for library in Library::ALL {
        let settings = settings(Protocol::Tls12);
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        let (store, now) = (fixture.sessions.store(), fixture.clock.now());
        let entry = garbage(Usage::Reusable, now);
        let (key, begun) = (connector.key(HOST, PORT), store.generation());
        store
            .put(key, entry, begun, now)
            .expect("the store accepts it");
        assert!(!fixture.visit(&connector, &server).resumed, "{library}");
        assert!(fixture.visit(&connector, &server).resumed, "{library}");
    }
}

/// R9: not as cancelled.
#[test]
fn a_connect_dropped_during_the_blinding_delay_counts_as_failed() {
    for_each_server(|library, settings| {
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector_with_blinding("one", authority(), 30);
        fixture.visit(&connector, &server);
        let untrusted = ServerSettings {
            identity: Authority::new(KeyKind::EcdsaP256).issue(&[HOST]),
            ..settings
        };
        let untrusted = listen(library, &untrusted);
        let waited = fixture.runtime.block_on(async {
            let tcp = TcpStream::connect(untrusted.address()).await;
            let connecting = connector.connect(HOST, PORT, tcp.expect("a server"));
            tokio::time::timeout(Duration::from_secs(1), connecting).await
        });
        assert!(waited.is_err(), "the blinding delay lasts longer");
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.cancelled, stats.failed), (0, 1), "{library}");
        assert_eq!(stats.sessions, 0, "{library}");
    });
}

/// A ticket is used up.
#[test]
fn a_dropped_connect_keeps_the_reusable_session() {
    for_each_server(|library, mut settings| {
        settings.tickets = 1;
        let (fixture, server) = (Fixture::new(), listen(library, &settings));
        let connector = fixture.connector();
        fixture.visit(&connector, &server);
        let (silent, _far_end) = tokio::io::duplex(1 << 16);
        let waited = fixture.runtime.block_on(async {
            let connecting = connector.connect(HOST, PORT, silent);
            tokio::time::timeout(Duration::from_millis(10), connecting).await
        });
        assert!(waited.is_err(), "the transport is silent");
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.cancelled, stats.failed), (1, 0), "{library}");
        let reusable = settings.protocols == [Protocol::Tls12];
        assert_eq!(
            fixture.visit(&connector, &server).resumed,
            reusable,
            "{library}"
        );
    });
}

#[test]
fn connecting_to_an_address_fails_before_anything_is_sent() {
    let fixture = Fixture::new();
    let connector = fixture.connector();
    for host in ["127.0.0.1", "[::1]"] {
        let (near, mut far) = tokio::io::duplex(64);
        let result = fixture
            .runtime
            .block_on(connector.connect(host, PORT, near));
        assert!(matches!(result, Err(Error::Address)), "{host}");
        let sent = fixture.runtime.block_on(far.read(&mut [0; 1]));
        assert_eq!(sent.expect("an end"), 0, "{host}");
    }
}
