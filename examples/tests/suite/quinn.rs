//! quinn with our sessions and address tokens, as seen by the server.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::TcpServer;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{BloomTokenLog, Connection, Endpoint, ServerConfig, TokenStore, ValidationTokenConfig};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls::version::TLS13;
use tls_resume::quinn::{Tokens, client_config};
use tls_resume::rustls::{Connector, ConnectorBuilder};
use tls_resume::{Clock, Limits, ManualClock, SystemClock, Timestamp};

/// The server's log.
#[derive(Debug, Default)]
struct Log {
    /// The sessions that clients offered, and whether the server still had them.
    offered: Vec<(Vec<u8>, bool)>,
    /// For each attempt, whether the client's address was validated.
    validated: Vec<bool>,
}

/// The server's single-use sessions.
#[derive(Debug)]
struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    first: OnceLock<Vec<u8>>,
    log: Arc<Mutex<Log>>,
    forgets: Arc<AtomicBool>,
    confuses: Arc<AtomicBool>,
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.first.get_or_init(|| value.clone());
        self.cache.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let taken = self.cache.take(key);
        let taken = taken.filter(|_| !self.forgets.swap(false, Ordering::SeqCst));
        let offered = (key.to_vec(), taken.is_some());
        self.log.lock().unwrap().offered.push(offered);
        if self.confuses.load(Ordering::SeqCst) {
            return self.first.get().cloned();
        }
        taken
    }

    fn can_cache(&self) -> bool {
        true
    }
}

struct QuicServer {
    authority: Authority,
    address: SocketAddr,
    endpoint: Endpoint,
    log: Arc<Mutex<Log>>,
    /// Whether the server forgets the next session that a client offers.
    forgets: Arc<AtomicBool>,
    /// Whether the server takes each session for its first one: the client's binder is then wrong.
    confuses: Arc<AtomicBool>,
}

/// The TLS of a QUIC server that accepts early data.
pub(crate) fn server_tls(identity: &Identity, alpn: &str) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key());
    let mut tls = tls.expect("a certificate");
    tls.alpn_protocols = vec![alpn.into()];
    tls.max_early_data_size = u32::MAX;
    tls
}

impl QuicServer {
    /// Starts an echo server that validates addresses and accepts early data.
    fn start() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let identity = authority.issue(&["localhost"]);
        let log = Arc::<Mutex<Log>>::default();
        let [forgets, confuses] = [(); 2].map(|()| Arc::<AtomicBool>::default());
        let mut tls = server_tls(&identity, "echo");
        tls.session_storage = Arc::new(Sessions {
            cache: ServerSessionMemoryCache::new(256),
            first: OnceLock::new(),
            log: Arc::clone(&log),
            forgets: Arc::clone(&forgets),
            confuses: Arc::clone(&confuses),
        });
        let tls = QuicServerConfig::try_from(tls).expect("QUIC");
        let mut config = ServerConfig::with_crypto(Arc::new(tls));
        let mut tokens = ValidationTokenConfig::default();
        tokens.sent(2).log(Arc::new(BloomTokenLog::default()));
        config.validation_token_config(tokens);
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).expect("a port");
        let address = endpoint.local_addr().expect("an address");
        tokio::spawn(serve(endpoint.clone(), Arc::clone(&log)));
        Self {
            authority,
            address,
            endpoint,
            log,
            forgets,
            confuses,
        }
    }

    fn builder(&self) -> ConnectorBuilder {
        let builder = Connector::builder().roots([self.authority.root_der()]);
        builder.alpn([b"echo".to_vec()])
    }
}

async fn serve(endpoint: Endpoint, log: Arc<Mutex<Log>>) {
    while let Some(incoming) = endpoint.accept().await {
        let validated = incoming.remote_address_validated();
        log.lock().unwrap().validated.push(validated);
        if !validated {
            incoming.retry().expect("one that can be retried");
            continue;
        }
        tokio::spawn(async move {
            let accepting = incoming.accept().expect("a connection");
            // Accepts early data.
            let connection = match accepting.into_0rtt() {
                Ok((connection, _)) => connection,
                Err(accepting) => match accepting.await {
                    Ok(connection) => connection,
                    Err(_) => return, // the client reports it
                },
            };
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let data = receive.read_to_end(64).await.expect("data");
                send.write_all(&data).await.expect("room");
                send.finish().expect("an end");
            }
        });
    }
}

/// Connects and exchanges data; returns whether it was sent as early data and accepted.
async fn connect(client: &Endpoint, server: &QuicServer) -> bool {
    let connecting = client.connect(server.address, "localhost").expect("a name");
    let (connection, accepted) = match connecting.into_0rtt() {
        Ok((connection, accepted)) => (connection, Some(accepted)),
        Err(connecting) => (connecting.await.expect("a handshake"), None),
    };
    echo(&connection).await;
    let early = match accepted {
        Some(accepted) => accepted.await,
        None => false,
    };
    // A second exchange: the answer to early data may arrive before the tickets, which follow the
    // handshake.
    echo(&connection).await;
    connection.close(0u8.into(), b"");
    client.wait_idle().await;
    early
}

async fn echo(connection: &Connection) {
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(b"hello").await.expect("room");
    send.finish().expect("an end");
    let echo = receive.read_to_end(64).await.expect("an echo");
    assert_eq!(echo, b"hello");
}

fn client(connector: &Connector) -> Endpoint {
    let mut client = Endpoint::client("127.0.0.1:0".parse().unwrap()).expect("a port");
    client.set_default_client_config(client_config(connector).expect("valid settings"));
    client
}

#[tokio::test]
async fn sessions_resume_and_tokens_save_address_validation() {
    let server = QuicServer::start();
    let connector = server.builder().build().expect("valid settings");
    let client = client(&connector);
    for _ in 0..3 {
        assert!(
            !connect(&client, &server).await,
            "early data was not allowed"
        );
    }
    let log = server.log.lock().unwrap();
    let resumed: Vec<_> = log.offered.iter().map(|(_, had)| *had).collect();
    assert_eq!(resumed, [true, true]);
    // The first connection needed a retry; the others had a token.
    assert_eq!(log.validated, [false, true, true, true]);
    server.endpoint.close(0u8.into(), b"");
}

/// R26, R7: early data is opt-in, and no session is offered twice.
#[tokio::test]
async fn early_data_is_sent_if_allowed_and_sessions_are_offered_once() {
    let server = QuicServer::start();
    let connector = server
        .builder()
        .early_data(true)
        .build()
        .expect("valid settings");
    let client = client(&connector);
    let mut early = Vec::new();
    for _ in 0..6 {
        early.push(connect(&client, &server).await);
    }
    assert_eq!(early, [false, true, true, true, true, true]);
    let log = server.log.lock().unwrap();
    let sessions: HashSet<_> = log.offered.iter().map(|(name, _)| name).collect();
    assert_eq!((sessions.len(), log.offered.len()), (5, 5));
    assert!(log.offered.iter().all(|(_, had)| *had));
}

/// R22: clearing a server also removes its QUIC sessions, but not its tokens.
#[tokio::test]
async fn a_cleared_server_is_not_resumed() {
    let server = QuicServer::start();
    let connector = server.builder().build().expect("valid settings");
    let client = client(&connector);
    connect(&client, &server).await;
    assert!(connector.stats().sessions > 0);
    connector.clear_server("localhost", server.address.port());
    assert_eq!(connector.stats().sessions, 0);
    connect(&client, &server).await;
    let log = server.log.lock().unwrap();
    assert!(log.offered.is_empty());
    assert_eq!(log.validated, [false, true, true]);
}

/// R28, R29: at one connection in 250 ms, two of 80 fail, and never two in a row.
#[tokio::test]
async fn a_server_that_finds_every_binder_wrong_is_avoided() {
    let server = QuicServer::start();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let builder = server.builder().clock(clock.clone());
    let connector = builder.build().expect("valid settings");
    let client = client(&connector);
    assert!(!connect(&client, &server).await);
    server.confuses.store(true, Ordering::SeqCst);
    let (mut failed, mut before) = (0, false);
    for _ in 0..80 {
        clock.advance(Duration::from_millis(250));
        let connecting = client.connect(server.address, "localhost").expect("a name");
        let fails = match connecting.await {
            Ok(connection) => {
                echo(&connection).await;
                echo(&connection).await;
                connection.close(0u8.into(), b"");
                false
            }
            Err(_) => true,
        };
        client.wait_idle().await;
        assert!(!(fails && before), "two failures in a row");
        before = fails;
        failed += u32::from(fails);
    }
    assert!((1..=2).contains(&failed), "{failed}");
    assert!(connector.stats().avoided >= 70, "{:?}", connector.stats());
}

/// Tokens are single-use, newest first, limited in number and lifetime.
#[test]
fn tokens_are_bounded_and_expire() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(Duration::from_secs(
        1_000_000,
    ))));
    let mut limits = Limits::default();
    limits.sessions_per_server = 2;
    limits.single_use_lifetime = Duration::from_secs(60);
    let tokens = Tokens::new(limits, clock.clone()).expect("valid limits");
    for token in ["one", "two", "three"] {
        tokens.insert("localhost", token.into());
    }
    assert_eq!(tokens.take("other.example"), None);
    assert_eq!(tokens.take("localhost").as_deref(), Some(&b"three"[..]));
    assert_eq!(tokens.take("localhost").as_deref(), Some(&b"two"[..]));
    assert_eq!(tokens.take("localhost"), None);
    tokens.insert("localhost", "four".into());
    clock.advance(Duration::from_secs(61));
    assert_eq!(tokens.take("localhost"), None);
    tokens.insert("localhost", "five".into());
    assert!(!format!("{tokens:?}").contains("five"));
    tokens.clear();
    assert_eq!(tokens.take("localhost"), None);
}

/// R1: sessions are separate by transport.
#[tokio::test]
async fn tcp_and_quic_do_not_share_sessions() {
    let server = QuicServer::start();
    let settings = ServerSettings {
        alpn: vec![b"echo".to_vec()],
        ..ServerSettings::new(server.authority.issue(&["localhost"]))
    };
    let tcp = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let connector = server.builder().build().expect("valid settings");
    let over_tcp = || {
        let config = Arc::new(connector.client_config());
        let host = "localhost".try_into().expect("a name");
        let tls = rustls::ClientConnection::new(config, host).expect("a connection");
        let io = TcpStream::connect(tcp.address()).expect("TCP");
        let mut stream = rustls::StreamOwned::new(tls, io);
        stream.write_all(b"hello").expect("a write");
        stream.read_exact(&mut [0; 5]).expect("an echo");
    };
    over_tcp();
    assert!(connector.stats().sessions > 0);
    connect(&client(&connector), &server).await;
    assert_eq!(connector.stats().offered, 0);
    connect(&client(&connector), &server).await;
    over_tcp();
    assert_eq!(connector.stats().offered, 2);
    assert_eq!(server.log.lock().unwrap().offered.len(), 1);
    let facts = tcp.wait_for_handshakes(2, Duration::from_secs(10));
    let resumed: Vec<_> = facts.iter().map(|facts| facts.resumed).collect();
    assert_eq!(resumed, [false, true]);
}

/// R1, R6: other connectors' sessions, and servers that must not be resumed.
#[tokio::test]
async fn connectors_do_not_share_sessions_and_never_resume_holds() {
    let server = QuicServer::start();
    let connector = server.builder().build().expect("valid settings");
    connect(&client(&connector), &server).await;
    let held = connector.stats().sessions;
    assert!(held > 0);
    // Another connector with the same settings.
    let other = server.builder().build().expect("valid settings");
    connect(&client(&other), &server).await;
    assert_eq!(
        (connector.stats().sessions, other.stats().offered),
        (held, 0)
    );
    let never = server.builder().never_resume(["localhost"]).build();
    let never = never.expect("valid settings");
    for _ in 0..2 {
        connect(&client(&never), &server).await;
    }
    assert_eq!(never.stats().stored, 0);
    assert!(server.log.lock().unwrap().offered.is_empty());
}

/// R35.
#[tokio::test]
async fn partitions_do_not_resume_each_others_sessions() {
    let server = QuicServer::start();
    let connector = server.builder().build().expect("valid settings");
    let resumes = async |handle: &Connector| {
        let before = server.log.lock().unwrap().offered.len();
        connect(&client(handle), &server).await;
        server.log.lock().unwrap().offered.len() > before
    };
    let (a, b) = (connector.partition("a"), connector.partition("b"));
    for (handle, expected) in [(&a, false), (&b, false), (&a, true), (&connector, false)] {
        assert_eq!(resumes(handle).await, expected);
    }
    connector.clear_partition("a");
    assert!(!resumes(&a).await);
    assert!(resumes(&b).await);
}

#[test]
fn settings_that_quic_does_not_support_are_refused() {
    for (builder, problem) in [
        (Connector::builder(), "alpn"),
        (
            Connector::builder()
                .alpn([b"h3".to_vec()])
                .protocols([tls_resume::Protocol::Tls12]),
            "TLS 1.3",
        ),
    ] {
        let error = client_config(&builder.build().expect("valid settings"));
        let error = error.expect_err("settings that do not fit").to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_early_data() {
    let server = QuicServer::start();
    let output = run(&server).await;
    assert_eq!(
        output,
        "hello early: false\nhello early: true\nhello early: true\nsessions offered: 2\n"
    );
}

/// Rejected early data is lost with its streams, and the program sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_repeats_rejected_early_data() {
    let server = QuicServer::start();
    server.forgets.store(true, Ordering::SeqCst);
    let output = run(&server).await;
    assert_eq!(
        output,
        "hello early: false\nhello early: false\nhello early: true\nsessions offered: 2\n"
    );
}

/// Runs the program; its output.
async fn run(server: &QuicServer) -> String {
    let folder = tempfile::tempdir().expect("a directory");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, server.authority.root_pem()).expect("a file");
    let url = format!("https://localhost:{}/", server.address.port());
    let program = tokio::task::spawn_blocking(move || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_quinn"));
        program.arg(url).arg(roots).output().expect("the program")
    });
    let program = program.await.expect("no panic");
    assert!(
        program.status.success(),
        "{}",
        String::from_utf8_lossy(&program.stderr)
    );
    String::from_utf8(program.stdout).expect("text")
}
