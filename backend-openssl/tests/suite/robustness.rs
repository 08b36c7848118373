//! Time, panics, clearing, secrets, weights.

mod common;

use std::fmt::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use backend_openssl::Sessions;
use common::{
    Client, HOST, OTHER, PORT, builder, close, domain, each, of, server, settings, talk, visit,
};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use store_core::{Clock, Limits, Timestamp};

/// R11: the lifetime that the server announced decides, shorter or longer than the context's own.
#[test]
fn the_lifetime_is_the_servers() {
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
            talk(&mut stream);
            assert!(!of(&stream).offered() && !stream.ssl().session_reused());
            assert!(
                !stream.get_mut().server().facts().unwrap().offered,
                "{protocol}"
            );
        }
    }
}

/// R13: a session from the future is not offered.
#[test]
fn a_clock_that_goes_back_offers_nothing() {
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

/// A clock that panics when it is told to.
#[derive(Debug, Default)]
struct Broken(AtomicBool);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(
            !self.0.load(Ordering::SeqCst),
            "this clock is broken on purpose"
        );
        Timestamp::from_unix(Duration::from_secs(1_800_000_000))
    }
}

/// R20, R21: a panic in a callback does not reach C: the handshake succeeds, nothing is stored,
/// and the connections after it are well.
#[test]
fn a_panic_in_a_callback_is_a_miss() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let clock = Arc::new(Broken::default());
        let sessions = Sessions::with_clock(Limits::default(), clock.clone()).unwrap();
        let connector = sessions.attach(builder(protocol), domain("one")).unwrap();
        // The first run breaks a full handshake, the second a resumed one.
        for resumed in [false, true] {
            let key = connector.key(HOST, PORT);
            let mut ssl = connector.configure().unwrap().into_ssl(HOST).unwrap();
            connector.prepare(&mut ssl, key);
            let before = sessions.store().stats().stored;
            clock.0.store(true, Ordering::SeqCst);
            let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
            talk(&mut stream);
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

/// R20, R21: the application uses the store while callbacks run on other threads.
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
                talk(&mut stream);
                of(&stream).forget();
            }
            running.store(false, Ordering::SeqCst);
            application.join().unwrap();
        });
        assert_eq!(client.stats().sessions, 0);
    }
}

/// R22: what was on its way when the store or the server was cleared is not stored; another
/// server's clearing does not matter.
#[test]
fn clearing_refuses_what_is_on_its_way() {
    each(|library, protocol| {
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
            talk(&mut stream);
            assert!(of(&stream).tickets() > 0);
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

/// R24: nothing that can be printed shows a secret.
#[test]
fn nothing_shows_a_secret() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        talk(&mut stream);
        let mut secret = vec![0; 64];
        let length = stream.ssl().session().unwrap().master_key(&mut secret);
        secret.truncate(length);
        assert!(length >= 32, "there is a secret to look for");
        let id = stream.ssl().session().unwrap().id().to_vec();
        let now = client.sessions.clock().now();
        let offer = client.sessions.store().offer(&client.key(), now).unwrap();
        let mut shown = format!("{offer:?} {offer:#?} {:?}", offer.entry.session);
        write!(shown, "{:?} {:#?} ", of(&stream), of(&stream)).unwrap();
        write!(shown, "{:?} {:?}", client.connector, client.sessions).unwrap();
        write!(shown, "{:?}", client.sessions.store()).unwrap();
        assert!(shown.contains("Session") && shown.contains(HOST), "{shown}");
        let lower = shown.to_ascii_lowercase();
        for bytes in [&secret, &id] {
            let start = &bytes[..8];
            let hex = start.iter().map(|byte| format!("{byte:02x}"));
            assert!(!lower.contains(&hex.collect::<String>()), "{shown}");
            let list = format!("{start:?}");
            assert!(!shown.contains(list.trim_matches(['[', ']'])), "{shown}");
            assert!(!shown.as_bytes().windows(8).any(|window| window == start));
        }
    });
}

/// R16: a large certificate weighs what it weighs: sessions that keep it do not fit where small
/// ones do.
#[test]
fn large_certificates_are_weighed() {
    for protocol in Protocol::ALL {
        let names: Vec<_> = (0..600)
            .map(|number| format!("host-{number:040}.lab.example"))
            .collect();
        let mut names: Vec<_> = names.iter().map(String::as_str).collect();
        names.push(HOST);
        let large = common::authority().issue(&names);
        let bytes: usize = large.chain.iter().map(|one| one.len()).sum();
        assert!(bytes > 32 * 1024, "the premise: {bytes}");
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
