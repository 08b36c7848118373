//! quinn resumes with sessions and tokens of ours, by the server's own word.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::TcpServer;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{BloomTokenLog, Connection, Endpoint, ServerConfig, TokenStore, ValidationTokenConfig};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls::version::TLS13;
use tls_resume::quinn::{Tokens, client_config};
use tls_resume::rustls::{Connector, ConnectorBuilder};
use tls_resume::{Limits, ManualClock, Timestamp};

/// What the server saw.
#[derive(Debug, Default)]
struct Seen {
    /// Each session that a client named, and whether the server still had it.
    named: Vec<(Vec<u8>, bool)>,
    /// Whether clients had to prove their addresses first, one for each attempt.
    validated: Vec<bool>,
}

/// The server's sessions, which it takes once each.
#[derive(Debug)]
struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    seen: Arc<Mutex<Seen>>,
    forgets: Arc<AtomicBool>,
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let taken = self.cache.take(key);
        let taken = taken.filter(|_| !self.forgets.swap(false, Ordering::SeqCst));
        let named = (key.to_vec(), taken.is_some());
        self.seen.lock().unwrap().named.push(named);
        taken
    }

    fn can_cache(&self) -> bool {
        true
    }
}

struct Peer {
    authority: Authority,
    address: SocketAddr,
    endpoint: Endpoint,
    seen: Arc<Mutex<Seen>>,
    /// Whether the server forgets the session that a client names next.
    forgets: Arc<AtomicBool>,
}

impl Peer {
    /// A server that echoes, demands that clients prove their address, and allows early data.
    fn start() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let identity = authority.issue(&["localhost"]);
        let seen = Arc::<Mutex<Seen>>::default();
        let forgets = Arc::<AtomicBool>::default();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key.clone_key());
        let mut tls = tls.expect("a certificate");
        tls.alpn_protocols = vec![b"echo".to_vec()];
        tls.max_early_data_size = u32::MAX;
        tls.session_storage = Arc::new(Sessions {
            cache: ServerSessionMemoryCache::new(256),
            seen: Arc::clone(&seen),
            forgets: Arc::clone(&forgets),
        });
        let tls = QuicServerConfig::try_from(tls).expect("QUIC");
        let mut config = ServerConfig::with_crypto(Arc::new(tls));
        let mut tokens = ValidationTokenConfig::default();
        tokens.sent(2).log(Arc::new(BloomTokenLog::default()));
        config.validation_token_config(tokens);
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).expect("a port");
        let address = endpoint.local_addr().expect("an address");
        tokio::spawn(serve(endpoint.clone(), Arc::clone(&seen)));
        Self {
            authority,
            address,
            endpoint,
            seen,
            forgets,
        }
    }

    fn builder(&self) -> ConnectorBuilder {
        let builder = Connector::builder().roots([self.authority.root_der()]);
        builder.alpn([b"echo".to_vec()])
    }
}

async fn serve(endpoint: Endpoint, seen: Arc<Mutex<Seen>>) {
    while let Some(incoming) = endpoint.accept().await {
        let validated = incoming.remote_address_validated();
        seen.lock().unwrap().validated.push(validated);
        if !validated {
            incoming.retry().expect("one that can be retried");
            continue;
        }
        tokio::spawn(async move {
            let accepting = incoming.accept().expect("a connection");
            // Reads early data as it comes.
            let connection = match accepting.into_0rtt() {
                Ok((connection, _)) => connection,
                Err(accepting) => accepting.await.expect("a handshake"),
            };
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let data = receive.read_to_end(64).await.expect("data");
                send.write_all(&data).await.expect("room");
                send.finish().expect("an end");
            }
        });
    }
}

/// Connects and has something echoed; whether that was sent early, and accepted.
async fn visit(client: &Endpoint, peer: &Peer) -> bool {
    let connecting = client.connect(peer.address, "localhost").expect("a name");
    let (connection, accepted) = match connecting.into_0rtt() {
        Ok((connection, accepted)) => (connection, Some(accepted)),
        Err(connecting) => (connecting.await.expect("a handshake"), None),
    };
    echo(&connection).await;
    let early = match accepted {
        Some(accepted) => accepted.await,
        None => false,
    };
    // The answer to early data may come before the sessions do, which follow the handshake.
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
async fn resumes_and_spares_the_proof_of_the_address() {
    let peer = Peer::start();
    let connector = peer.builder().build().expect("valid settings");
    let client = client(&connector);
    for _ in 0..3 {
        assert!(!visit(&client, &peer).await, "early data was not allowed");
    }
    let seen = peer.seen.lock().unwrap();
    let resumed: Vec<_> = seen.named.iter().map(|(_, had)| *had).collect();
    assert_eq!(resumed, [true, true]);
    // The first had to come twice; the others brought a token.
    assert_eq!(seen.validated, [false, true, true, true]);
    peer.endpoint.close(0u8.into(), b"");
}

/// R26, R7: the server sees each session once.
#[tokio::test]
async fn early_data_is_sent_if_allowed_and_with_each_session_once() {
    let peer = Peer::start();
    let connector = peer
        .builder()
        .early_data(true)
        .build()
        .expect("valid settings");
    let client = client(&connector);
    let mut early = Vec::new();
    for _ in 0..6 {
        early.push(visit(&client, &peer).await);
    }
    assert_eq!(early, [false, true, true, true, true, true]);
    let seen = peer.seen.lock().unwrap();
    let sessions: HashSet<_> = seen.named.iter().map(|(name, _)| name).collect();
    assert_eq!((sessions.len(), seen.named.len()), (5, 5));
    assert!(seen.named.iter().all(|(_, had)| *had));
}

/// R22: QUIC's sessions of a host go with the others of it, and tokens stay.
#[tokio::test]
async fn a_server_that_is_cleared_is_not_resumed() {
    let peer = Peer::start();
    let connector = peer.builder().build().expect("valid settings");
    let client = client(&connector);
    visit(&client, &peer).await;
    assert!(connector.stats().sessions > 0);
    connector.clear_server("localhost", peer.address.port());
    assert_eq!(connector.stats().sessions, 0);
    visit(&client, &peer).await;
    let seen = peer.seen.lock().unwrap();
    assert!(seen.named.is_empty());
    assert_eq!(seen.validated, [false, true, true]);
}

/// Each token once, the newest first, no longer than its lifetime, and no more than there may be.
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

/// R1: a session knows its transport.
#[tokio::test]
async fn tcp_and_quic_have_sessions_of_their_own() {
    let peer = Peer::start();
    let settings = ServerSettings {
        alpn: vec![b"echo".to_vec()],
        ..ServerSettings::new(peer.authority.issue(&["localhost"]))
    };
    let tcp = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let connector = peer.builder().build().expect("valid settings");
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
    visit(&client(&connector), &peer).await;
    assert_eq!(connector.stats().offered, 0);
    visit(&client(&connector), &peer).await;
    over_tcp();
    assert_eq!(connector.stats().offered, 2);
    assert_eq!(peer.seen.lock().unwrap().named.len(), 1);
    let facts = tcp.wait_for_handshakes(2, Duration::from_secs(10));
    let resumed: Vec<_> = facts.iter().map(|facts| facts.resumed).collect();
    assert_eq!(resumed, [false, true]);
}

/// R1, R6: neither another connector's, nor where it is not to be.
#[tokio::test]
async fn nothing_is_resumed_that_is_not_its_own() {
    let peer = Peer::start();
    let connector = peer.builder().build().expect("valid settings");
    visit(&client(&connector), &peer).await;
    let held = connector.stats().sessions;
    assert!(held > 0);
    // Another connector with the same settings.
    let other = peer.builder().build().expect("valid settings");
    visit(&client(&other), &peer).await;
    assert_eq!(
        (connector.stats().sessions, other.stats().offered),
        (held, 0)
    );
    let never = peer.builder().never_resume(["localhost"]).build();
    let never = never.expect("valid settings");
    for _ in 0..2 {
        visit(&client(&never), &peer).await;
    }
    assert_eq!(never.stats().stored, 0);
    assert!(peer.seen.lock().unwrap().named.is_empty());
}

#[test]
fn what_quic_cannot_do_is_refused() {
    for (builder, says) in [
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
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_early_data() {
    let peer = Peer::start();
    let said = run(&peer).await;
    assert_eq!(
        said,
        "hello early: false\nhello early: true\nhello early: true\nsessions offered: 2\n"
    );
}

/// What was sent early is lost with its streams, and the program asks again.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_bears_that_early_data_is_rejected() {
    let peer = Peer::start();
    peer.forgets.store(true, Ordering::SeqCst);
    let said = run(&peer).await;
    assert_eq!(
        said,
        "hello early: false\nhello early: false\nhello early: true\nsessions offered: 2\n"
    );
}

/// What the program says.
async fn run(peer: &Peer) -> String {
    let folder = tempfile::tempdir().expect("a directory");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, peer.authority.root_pem()).expect("a file");
    let url = format!("https://localhost:{}/", peer.address.port());
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
