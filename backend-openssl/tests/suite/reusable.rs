//! TLS 1.2 sessions: removal, renewal and copies.

use std::net::TcpStream;
use std::thread;

use lab::server::{Library, Protocol};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use openssl::ssl::HandshakeError;
use store_core::{Limits, Usage, Want};

use crate::client::{
    Client, HOST, PORT, Silent, builder, close, connection_of, domain, echo, for_each_server,
    server, visit, would_block,
};

fn session_id(stream: &openssl::ssl::SslStream<InMemory>) -> Vec<u8> {
    stream.ssl().session().unwrap().id().to_vec()
}

/// R9: a failed handshake removes the reusable session that it offered.
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
                .connect(HOST, PORT, Silent { ended: true })
                .unwrap_err(),
        );
        assert_eq!(client.stats().sessions, 0);
        assert!(!client.visit(&server));
        assert!(client.visit(&server));
    }
}

/// R9: a newer session, stored meanwhile, stays.
#[test]
fn a_newer_session_survives_an_older_failure() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let pending = would_block(
        client
            .connector
            .connect(HOST, PORT, Silent { ended: false }),
    );
    server.rotate_keys();
    assert!(!client.visit(&server), "declined, and the session replaced");
    drop(pending);
    assert_eq!((client.stats().failed, client.stats().sessions), (1, 1));
    // R31: one connection offers nothing.
    assert!(!client.visit(&server));
    assert!(client.visit(&server));
}

/// R9: dropping a connection before its handshake starts is no failure.
#[test]
fn a_connection_that_never_started_removes_nothing() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let mut ssl = client.ssl(true);
    client.connector.prepare(&mut ssl, client.key());
    drop(ssl);
    assert_eq!((client.stats().failed, client.stats().sessions), (0, 1));
    assert!(client.visit(&server));
}

/// R9: a session whose cipher is no longer offered fails one connection at most. The next one
/// succeeds even while the error of the first is held.
#[test]
fn a_cipher_no_longer_offered_fails_one_connection_at_most() {
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
                assert_eq!(library, Library::Rustls, "an OpenSSL server fails");
                assert!(!full.ssl().session_reused());
                echo(&mut full);
            }
            Err(held) => {
                assert_eq!(
                    library,
                    Library::OpenSsl,
                    "a rustls server makes a full handshake"
                );
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

/// R10: a ticket renewed in a resumed handshake is stored without a callback, and replaces the one
/// before. A rustls server renews every time; the control, an OpenSSL server, never does here.
#[test]
fn a_renewed_ticket_is_stored() {
    let server = server(Library::Rustls, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    let (mut ids, mut tickets) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let mut stream = client.start(&server);
        echo(&mut stream);
        assert_eq!(stream.ssl().session_reused(), round > 0);
        ids.push(session_id(&stream));
        tickets.extend(stream.get_mut().server().facts().unwrap().ticket);
        assert_eq!(connection_of(&stream).tickets(), 1);
        close(&mut stream);
        assert_eq!(
            client.stats().replaced,
            round,
            "one new session per connection"
        );
        assert_eq!(client.stats().sessions, 1);
    }
    for list in [ids, tickets] {
        for pair in list.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    let control = crate::client::server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&control);
    let mut stream = client.start(&control);
    echo(&mut stream);
    assert!(stream.ssl().session_reused());
    assert_eq!(
        (connection_of(&stream).tickets(), client.stats().stored),
        (0, 1)
    );
}

/// R10, R14.
#[test]
fn a_renewed_ticket_survives_a_drop_without_close_notify() {
    let server = server(Library::Rustls, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    for round in 0..4 {
        let mut stream = client.start(&server);
        echo(&mut stream);
        assert_eq!(stream.ssl().session_reused(), round > 0);
    }
}

/// R12: the control has no limit of total age.
#[test]
fn renewals_do_not_extend_the_total_age() {
    for_each_server(|library, protocol| {
        if (library, protocol) == (Library::OpenSsl, Protocol::Tls12) {
            return; // such a server does not renew
        }
        let server = server(library, protocol);
        let limits = Limits::default().with_total_age(std::time::Duration::from_secs(1_000));
        let limited = Client::with(builder(protocol), limits);
        let unlimited = Client::new(protocol);
        for (client, resumes) in [(&limited, false), (&unlimited, true)] {
            assert!(!client.visit(&server));
            let established = client.clock.as_ref();
            let established = store_core::Clock::now(established);
            client.advance(600);
            assert!(client.visit(&server));
            let now = client.sessions.clock().now();
            let offer = client
                .sessions
                .store()
                .offer(&client.key(), Want::Any, now, |_| true)
                .unwrap();
            assert_eq!(offer.entry.established, established, "{library} {protocol}");
            client.advance(600);
            assert_eq!(client.visit(&server), resumes, "{library} {protocol}");
        }
    });
}

/// R15: two connections offer one session at the same time. A drop of one without `close_notify`
/// affects neither the other nor the store.
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
        echo(&mut one);
        assert!(one.ssl().session_reused());
        drop(one);
        let mut other = other.connect(InMemory::new(&server)).unwrap();
        echo(&mut other);
        assert!(other.ssl().session_reused(), "{library}");
        drop(other);
        assert!(client.visit(&server), "{library}");
    }
}

/// R8, R9: a server has one reusable session, and offering it does not remove it.
#[test]
fn a_tls12_session_is_reusable() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let now = client.sessions.clock().now();
    for _ in 0..2 {
        let offer = client
            .sessions
            .store()
            .offer(&client.key(), Want::Any, now, |_| true)
            .unwrap();
        assert_eq!(offer.entry.usage, Usage::Reusable);
    }
}

/// R15: eight threads offer one session at the same time.
#[test]
fn threads_share_a_session_without_sharing_the_object() {
    for library in Library::ALL {
        let tcp = TcpServer::start(server(library, Protocol::Tls12)).unwrap();
        let client = Client::new(Protocol::Tls12);
        let connect = |dropped: bool| {
            let socket = TcpStream::connect(tcp.address()).unwrap();
            let mut stream = client.connector.connect(HOST, PORT, socket).unwrap();
            echo(&mut stream);
            if !dropped {
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

/// R9: the session is removed while the error is held, also if the server only closed.
#[test]
fn a_held_error_keeps_no_session() {
    let server = server(Library::OpenSsl, Protocol::Tls12);
    let client = Client::new(Protocol::Tls12);
    client.visit(&server);
    let held = client.connector.connect(HOST, PORT, Silent { ended: true });
    assert!(held.is_err());
    assert_eq!((client.stats().failed, client.stats().sessions), (1, 0));
    drop(held);
    assert_eq!(client.stats().failed, 1);
}
