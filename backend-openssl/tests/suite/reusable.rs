//! Sessions of TLS 1.2: removal, renewal, copies.

mod common;

use std::net::TcpStream;
use std::thread;

use common::{
    Client, HOST, Mute, PORT, begun, builder, close, domain, each, of, server, talk, visit,
};
use lab::server::{Library, Protocol};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use openssl::ssl::HandshakeError;
use store_core::{Limits, Usage};

fn session_id(stream: &openssl::ssl::SslStream<InMemory>) -> Vec<u8> {
    stream.ssl().session().unwrap().id().to_vec()
}

/// R9: a handshake with a reusable session that fails removes it.
#[test]
fn a_failed_handshake_removes_the_reusable_session() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls12);
        let client = Client::new(Protocol::Tls12);
        client.visit(&server);
        assert_eq!(client.stats().sessions, 1);
        drop(
            client
                .connector
                .connect(HOST, PORT, Mute { ended: true })
                .unwrap_err(),
        );
        assert_eq!(client.stats().sessions, 0);
        assert!(!client.visit(&server));
        assert!(client.visit(&server));
    }
}

/// R9: a newer session that was stored meanwhile survives.
#[test]
fn a_newer_session_survives_an_older_failure() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let waiting = begun(client.connector.connect(HOST, PORT, Mute { ended: false }));
    server.rotate_keys();
    assert!(!client.visit(&server), "declined, and replaced");
    drop(waiting);
    assert_eq!((client.stats().failed, client.stats().sessions), (1, 1));
    assert!(client.visit(&server));
}

/// R9: a connection that is dropped before its handshake began says nothing about its session.
#[test]
fn a_connection_that_never_began_removes_nothing() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let mut ssl = client.ssl(true);
    client.connector.prepare(&mut ssl, client.key());
    drop(ssl);
    assert_eq!((client.stats().failed, client.stats().sessions), (0, 1));
    assert!(client.visit(&server));
}

/// R9: a session whose cipher is no longer offered breaks one connection at most, and the next one
/// is good even while the error of the first is still held.
#[test]
fn a_cipher_no_longer_offered_costs_one_connection() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls12);
        let mut before = builder(Protocol::Tls12);
        before
            .set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")
            .unwrap();
        let client = Client::with(before, Limits::default());
        client.visit(&server);
        let mut after = builder(Protocol::Tls12);
        after
            .set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384")
            .unwrap();
        let after = client.sessions.attach(after, domain("one")).unwrap();

        match after.connect(HOST, PORT, InMemory::new(&server)) {
            Ok(mut full) => {
                assert_eq!(library, Library::Rustls, "OpenSSL refuses");
                assert!(!full.ssl().session_reused());
                talk(&mut full);
            }
            Err(held) => {
                assert_eq!(library, Library::OpenSsl, "rustls falls back");
                assert!(matches!(held, HandshakeError::Failure(_)));
                assert_eq!((client.stats().failed, client.stats().sessions), (1, 0));
                assert!(!visit(&after, HOST, PORT, &server));
                drop(held);
                assert_eq!(client.stats().failed, 1);
            }
        }
        assert!(visit(&after, HOST, PORT, &server), "{library}");
    }
}

/// R10: a ticket renewed in a resumed handshake is fetched, without a callback, and replaces the
/// one before it. rustls renews every time; OpenSSL, the control, never does here.
#[test]
fn a_renewed_ticket_is_stored() {
    let server = server(Library::Rustls, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    let (mut ids, mut tickets) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let mut stream = client.start(&server);
        talk(&mut stream);
        assert_eq!(stream.ssl().session_reused(), round > 0);
        ids.push(session_id(&stream));
        tickets.extend(stream.get_mut().server().facts().unwrap().ticket);
        assert_eq!(of(&stream).tickets(), 1);
        close(&mut stream);
        assert_eq!(
            client.stats().replaced,
            round,
            "exactly one new session a connection"
        );
        assert_eq!(client.stats().sessions, 1);
    }
    for list in [ids, tickets] {
        for pair in list.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    let control = common::server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&control);
    let mut stream = client.start(&control);
    talk(&mut stream);
    assert!(stream.ssl().session_reused());
    assert_eq!((of(&stream).tickets(), client.stats().stored), (0, 1));
}

/// R10, R14: the renewed ticket survives a bad end, too.
#[test]
fn a_renewed_ticket_survives_a_bad_end() {
    let server = server(Library::Rustls, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    for round in 0..4 {
        let mut stream = client.start(&server);
        talk(&mut stream);
        assert_eq!(stream.ssl().session_reused(), round > 0);
    }
}

/// R12: renewals do not extend the total age; without that limit they would.
#[test]
fn renewals_end() {
    each(|library, protocol| {
        if (library, protocol) == (Library::OpenSsl, Protocol::Tls12) {
            return; // does not renew
        }
        let server = server(library, protocol);
        let limits = Limits::default().with_total_age(std::time::Duration::from_secs(1_000));
        let capped = Client::with(builder(protocol), limits);
        let free = Client::new(protocol);
        for (client, last) in [(&capped, false), (&free, true)] {
            assert!(!client.visit(&server));
            let established = client.clock.as_ref();
            let established = store_core::Clock::now(established);
            client.advance(600);
            assert!(client.visit(&server));
            let now = client.sessions.clock().now();
            let held = client.sessions.store().offer(&client.key(), now).unwrap();
            assert_eq!(held.entry.established, established, "{library} {protocol}");
            client.advance(600);
            assert_eq!(client.visit(&server), last, "{library} {protocol}");
        }
    });
}

/// R15: two connections with one session at once; the bad end of one harms neither the other nor
/// the store.
#[test]
fn two_connections_share_a_session_without_sharing_the_object() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls12);
        let client = Client::new(Protocol::Tls12);
        client.visit(&server);
        let (mut one, mut other) = (client.ssl(true), client.ssl(true));
        client.connector.prepare(&mut one, client.key());
        client.connector.prepare(&mut other, client.key());
        assert_eq!(client.stats().copied, 2);
        let mut one = one.connect(InMemory::new(&server)).unwrap();
        talk(&mut one);
        assert!(one.ssl().session_reused());
        drop(one);
        let mut other = other.connect(InMemory::new(&server)).unwrap();
        talk(&mut other);
        assert!(other.ssl().session_reused(), "{library}");
        drop(other);
        assert!(client.visit(&server), "{library}");
    }
}

/// R8, R9: there is one reusable session a server, and it is kept as such.
#[test]
fn a_session_of_tls12_is_reusable() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let now = client.sessions.clock().now();
    for _ in 0..2 {
        let offer = client.sessions.store().offer(&client.key(), now).unwrap();
        assert_eq!(offer.entry.usage, Usage::Reusable);
    }
}

/// R15: eight threads with one session at once.
#[test]
fn threads_share_a_session_without_sharing_the_object() {
    for library in Library::ALL {
        let tcp = TcpServer::start(server(library, Protocol::Tls12)).unwrap();
        let client = Client::new(Protocol::Tls12);
        let connect = |bad_end: bool| {
            let socket = TcpStream::connect(tcp.address()).unwrap();
            let mut stream = client.connector.connect(HOST, PORT, socket).unwrap();
            talk(&mut stream);
            if !bad_end {
                close(&mut stream);
            }
            stream.ssl().session_reused()
        };
        assert!(!connect(false));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for round in 0..20 {
                        assert!(connect(round % 2 == 0), "{library}");
                    }
                });
            }
        });
        assert_eq!((client.stats().resumed, client.stats().sessions), (160, 1));
    }
}

/// R9: the session is gone while the error is still held, also if the server just hung up.
#[test]
fn a_held_error_holds_no_session() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let held = client.connector.connect(HOST, PORT, Mute { ended: true });
    assert!(held.is_err());
    assert_eq!((client.stats().failed, client.stats().sessions), (1, 0));
    drop(held);
    assert_eq!(client.stats().failed, 1);
}
