//! Time, panics, clearing, secrets and weights.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use backend_openssl::Sessions;
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use store_core::{Clock, Limits, Timestamp, Want};

use crate::client::{
    Client, HOST, OTHER, PORT, builder, close, connection_of, domain, echo, for_each_server,
    server, settings, visit,
};

/// R11: shorter or longer than the timeout of the context.
#[test]
fn a_session_lives_as_long_as_the_server_says() {
    for protocol in Protocol::ALL {
        for lifetime in [60, 20_000] {
            let settings = ServerSettings {
                lifetime: Some(Duration::from_secs(lifetime)),
                ..settings(protocol)
            };
            let server = Server::new(Library::OpenSsl, &settings);
            let client = Client::new(protocol);
            assert!(!client.visit(&server));
            client.advance(lifetime - 1);
            assert!(client.visit(&server), "{protocol} {lifetime}");

            let client = Client::new(protocol);
            assert!(!client.visit(&server));
            client.advance(lifetime);
            let mut stream = client.start(&server);
            echo(&mut stream);
            assert!(!connection_of(&stream).offered() && !stream.ssl().session_reused());
            assert!(
                !stream.get_mut().server().facts().unwrap().offered,
                "{protocol}"
            );
        }
    }
}

/// R13.
#[test]
fn a_session_from_the_future_is_not_offered() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        client.visit(&server);
        client
            .clock
            .set(Timestamp::from_unix(Duration::from_secs(1_700_000_000)));
        assert!(!client.visit(&server));
    }
}

/// A clock that panics while its flag is set.
#[derive(Debug, Default)]
struct PanickingClock(AtomicBool);

impl Clock for PanickingClock {
    fn now(&self) -> Timestamp {
        assert!(
            !self.0.load(Ordering::SeqCst),
            "this clock panics on purpose"
        );
        Timestamp::from_unix(Duration::from_secs(1_800_000_000))
    }
}

/// R20, R21: a panic in a callback does not reach C. The handshake succeeds, nothing is stored, and
/// later connections resume.
#[test]
fn a_panic_in_a_callback_is_a_miss() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let clock = Arc::new(PanickingClock::default());
        let sessions = Sessions::with_clock(Limits::default(), clock.clone()).unwrap();
        let connector = sessions.attach(builder(protocol), domain("one")).unwrap();
        // A panic in a full handshake, then in a resumed one.
        for resumed in [false, true] {
            let key = connector.key(HOST, PORT);
            let mut ssl = connector.configure().unwrap().into_ssl(HOST).unwrap();
            connector.prepare(&mut ssl, key);
            let before = sessions.store().stats().stored;
            clock.0.store(true, Ordering::SeqCst);
            let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
            echo(&mut stream);
            clock.0.store(false, Ordering::SeqCst);
            assert_eq!(
                stream.ssl().session_reused(),
                resumed,
                "{library} {protocol}"
            );
            assert_eq!(sessions.store().stats().stored, before);
            close(&mut stream);
            visit(&connector, HOST, PORT, &server);
            assert!(
                visit(&connector, HOST, PORT, &server),
                "{library} {protocol}"
            );
        }
    });
}

/// R20, R21: by the application, on another thread.
#[test]
fn the_store_can_be_used_while_callbacks_run() {
    for protocol in Protocol::ALL {
        let tcp = TcpServer::start(server(Library::OpenSsl, protocol)).unwrap();
        let client = Client::new(protocol);
        let store = client.sessions.store();
        let running = AtomicBool::new(true);
        thread::scope(|scope| {
            let application = scope.spawn(|| {
                while running.load(Ordering::SeqCst) {
                    let _ = store.stats();
                    store.clear_server(&client.key());
                    store.sweep(client.sessions.clock().now());
                    store.clear();
                    thread::yield_now();
                }
            });
            for _ in 0..40 {
                let socket = TcpStream::connect(tcp.address()).unwrap();
                let mut stream = client.connector.connect(HOST, PORT, socket).unwrap();
                echo(&mut stream);
                connection_of(&stream).forget();
            }
            running.store(false, Ordering::SeqCst);
            application.join().unwrap();
        });
        assert_eq!(client.stats().sessions, 0);
    }
}

/// R22: a session in flight while the store or its server is cleared is not stored. Clearing another
/// server has no effect.
#[test]
fn clearing_refuses_sessions_in_flight() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let run = |clear: &dyn Fn(&Client)| {
            let client = Client::new(protocol);
            client.visit(&server);
            let mut ssl = client.ssl(true);
            client.sessions.store().clear();
            client.connector.prepare(&mut ssl, client.key());
            let mut stream;
            if protocol == Protocol::Tls13 {
                stream = ssl.connect(InMemory::new(&server)).unwrap();
                clear(&client);
            } else {
                clear(&client);
                stream = ssl.connect(InMemory::new(&server)).unwrap();
            }
            echo(&mut stream);
            assert!(connection_of(&stream).tickets() > 0);
            (
                client.stats().sessions > 0,
                client.stats().refused_cleared > 0,
            )
        };
        let all = |client: &Client| client.sessions.store().clear();
        let this = |client: &Client| client.sessions.store().clear_server(&client.key());
        let other = |client: &Client| {
            let key = client.connector.key(OTHER, PORT);
            client.sessions.store().clear_server(&key);
        };
        assert_eq!(run(&all), (false, true), "{library} {protocol}");
        assert_eq!(run(&this), (false, true), "{library} {protocol}");
        assert_eq!(run(&other), (true, false), "{library} {protocol}");
    });
}

/// R24.
#[test]
fn debug_output_shows_no_secret() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        echo(&mut stream);
        let mut secret = vec![0; 64];
        let length = stream.ssl().session().unwrap().master_key(&mut secret);
        secret.truncate(length);
        assert!(length >= 32, "the connection has a secret");
        let id = stream.ssl().session().unwrap().id().to_vec();
        let now = client.sessions.clock().now();
        let offer = client
            .sessions
            .store()
            .offer(&client.key(), Want::Any, now, |_| true)
            .unwrap();
        let mut shown = format!("{offer:?} {offer:#?} {:?}", offer.entry.session);
        write!(
            shown,
            "{:?} {:#?} ",
            connection_of(&stream),
            connection_of(&stream)
        )
        .unwrap();
        write!(shown, "{:?} {:?}", client.connector, client.sessions).unwrap();
        write!(shown, "{:?}", client.sessions.store()).unwrap();
        assert!(shown.contains("Session") && shown.contains(HOST), "{shown}");
        let lower = shown.to_ascii_lowercase();
        // The store has taken the id out of a ticket.
        assert_eq!(id.is_empty(), protocol == Protocol::Tls13);
        for bytes in [&secret, &id].into_iter().filter(|bytes| !bytes.is_empty()) {
            let start = &bytes[..8];
            let hex = start.iter().map(|byte| format!("{byte:02x}"));
            assert!(!lower.contains(&hex.collect::<String>()), "{shown}");
            let list = format!("{start:?}");
            assert!(!shown.contains(list.trim_matches(['[', ']'])), "{shown}");
            assert!(!shown.as_bytes().windows(8).any(|window| window == start));
        }
    });
}

/// R16: a session that keeps a large certificate exceeds the limit for one session.
#[test]
fn a_session_with_a_large_certificate_is_refused() {
    for protocol in Protocol::ALL {
        let names: Vec<_> = (0..600)
            .map(|number| format!("host-{number:040}.lab.example"))
            .collect();
        let mut names: Vec<_> = names.iter().map(String::as_str).collect();
        names.push(HOST);
        let large = crate::client::authority().issue(&names);
        let bytes: usize = large.chain.iter().map(|one| one.len()).sum();
        assert!(bytes > 32 * 1024, "a large chain: {bytes}");
        let server = Server::new(
            Library::OpenSsl,
            &ServerSettings {
                identity: large,
                ..settings(protocol)
            },
        );
        let client = Client::new(protocol);
        client.visit(&server);
        assert_eq!(client.stats().sessions, 0, "{protocol}");
        assert!(client.stats().refused_too_large > 0);
    }
}
