//! Full and resumed handshakes, keys, single use and counters.

use std::collections::HashSet;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use backend_openssl::{AttachError, Sessions, connection, early_data_accepted, negotiated_group};
use lab::server::{Group, Library, Protocol, Server, ServerResumption, ServerSettings};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use openssl::ssl::{SslConnector, SslMethod, SslSession, SslSessionCacheMode, SslStream};
use store_core::{Limits, SecurityDomain, Want};

use crate::client::{
    Client, HOST, OTHER, PORT, Silent, builder, close, connection_of, domain, echo,
    for_each_server, server, settings, start, visit, would_block,
};

/// R27: client and server agree that the first handshake is full and later ones are resumed.
#[test]
fn the_second_connection_resumes() {
    for_each_server(|library, protocol| {
        for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
            let server = Server::new(
                library,
                &ServerSettings {
                    resumption,
                    ..settings(protocol)
                },
            );
            let client = Client::new(protocol);
            let mut full = client.start(&server);
            echo(&mut full);
            assert!(!full.ssl().session_reused() && !connection_of(&full).offered());
            let expected = if protocol == Protocol::Tls13 { 2 } else { 1 };
            assert_eq!(
                connection_of(&full).tickets(),
                expected,
                "{library} {protocol}"
            );
            close(&mut full);
            for _ in 0..5 {
                let mut stream = client.start(&server);
                echo(&mut stream);
                assert!(
                    stream.ssl().session_reused(),
                    "{library} {protocol} {resumption:?}"
                );
                assert!(connection_of(&stream).offered());
                assert!(stream.get_mut().server().facts().unwrap().resumed);
                close(&mut stream);
            }
            let stats = client.stats();
            assert_eq!((stats.resumed, stats.declined, stats.failed), (5, 0, 0));
        }
    });
}

/// R7: in 20 connections, one after another, the server sees each ticket once.
#[test]
fn a_ticket_is_offered_once() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13);
        let client = Client::new(Protocol::Tls13);
        let mut seen = HashSet::new();
        for round in 0..20 {
            let mut stream = client.start(&server);
            echo(&mut stream);
            let ticket = stream.get_mut().server().facts().unwrap().ticket;
            assert_eq!(ticket.is_some(), round > 0);
            assert!(
                ticket.is_none_or(|ticket| seen.insert(ticket)),
                "a ticket was used twice"
            );
            close(&mut stream);
        }
        assert_eq!(seen.len(), 19);
    }
}

/// R7: the same with eight threads on sockets; half the connections end without `close_notify`.
#[test]
fn threads_never_share_a_ticket() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 20;
    for library in Library::ALL {
        let tcp = TcpServer::start(server(library, Protocol::Tls13)).unwrap();
        let client = Client::new(Protocol::Tls13);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        let socket = TcpStream::connect(tcp.address()).unwrap();
                        let mut stream = client.connector.connect(HOST, PORT, socket).unwrap();
                        echo(&mut stream);
                        if round % 2 == 0 {
                            close(&mut stream);
                        }
                    }
                });
            }
        });
        let handshakes = tcp.wait_for_handshakes(THREADS * ROUNDS, Duration::from_secs(20));
        assert_eq!(handshakes.len(), THREADS * ROUNDS);
        let tickets: Vec<_> = handshakes
            .iter()
            .filter_map(|one| one.ticket.clone())
            .collect();
        assert!(tickets.len() >= ROUNDS);
        let different: HashSet<_> = tickets.iter().collect();
        assert_eq!(different.len(), tickets.len(), "{library}");
        let stats = client.stats();
        assert_eq!(stats.resumed, tickets.len() as u64);
        assert_eq!(stats.taken, stats.resumed);
    }
}

/// R3: a ticket read late is stored under the key of its own connection.
#[test]
fn a_late_ticket_is_stored_under_the_key_of_its_connection() {
    let server = server(Library::OpenSsl, Protocol::Tls13);
    let client = Client::new(Protocol::Tls13);
    let mut early = client.start(&server);
    let mut other = start(&client.connector, OTHER, PORT, &server);
    assert_eq!(client.stats().sessions, 0);
    echo(&mut other);
    assert!(
        client
            .sessions
            .store()
            .offer(
                &client.key(),
                Want::SingleUse,
                client.sessions.clock().now(),
                |_| true
            )
            .is_none()
    );
    echo(&mut early);
    assert_eq!(client.stats().sessions, 4);
    let now = client.sessions.clock().now();
    for host in [HOST, OTHER] {
        for _ in 0..2 {
            let key = client.connector.key(host, PORT);
            assert!(
                client
                    .sessions
                    .store()
                    .offer(&key, Want::SingleUse, now, |_| true)
                    .is_some(),
                "{host}"
            );
        }
    }
}

/// R1: a TLS proxy and the origin behind it can have the same name and port. Tickets of the proxy stay
/// in its security domain, also late ones (CVE-2021-22890).
#[test]
fn a_proxy_is_not_the_origin_behind_it() {
    let server = server(Library::OpenSsl, Protocol::Tls13);
    let origin = Client::new(Protocol::Tls13);
    let as_proxy = SecurityDomain::builder("test")
        .field("role", b"proxy")
        .finish();
    let sessions = &origin.sessions;
    let proxy = sessions.attach(builder(Protocol::Tls13), as_proxy).unwrap();

    let mut to_proxy = start(&proxy, HOST, PORT, &server);
    let mut to_origin = origin.start(&server);
    assert!(!connection_of(&to_origin).offered());
    echo(&mut to_proxy);
    assert!(
        !origin.visit(&server),
        "a ticket of the proxy was offered to the origin"
    );
    echo(&mut to_origin);
    assert!(visit(&proxy, HOST, PORT, &server));
    assert!(origin.visit(&server));
}

/// R1: another host, port or domain is another server. R16: limits of zero turn resumption off.
#[test]
fn sessions_are_offered_to_their_own_server_only() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        assert!(!client.visit(&server));
        let stranger = client
            .sessions
            .attach(builder(protocol), domain("two"))
            .unwrap();
        let sibling = client
            .sessions
            .attach(builder(protocol), domain("one"))
            .unwrap();
        assert!(!visit(&client.connector, OTHER, PORT, &server));
        assert!(!visit(&client.connector, HOST, PORT + 1, &server));
        assert!(!visit(&stranger, HOST, PORT, &server));
        assert_eq!(client.stats().offered, 0);
        assert!(visit(&sibling, HOST, PORT, &server));

        let off = Client::with(builder(protocol), Limits::off());
        assert!(!off.visit(&server) && !off.visit(&server));
        assert_eq!(off.stats().stored, 0);
    });
}

#[test]
fn a_builder_with_callbacks_of_its_own_cannot_be_attached() {
    let sessions = Sessions::new(Limits::default()).unwrap();
    let mut own = builder(Protocol::Tls13);
    own.set_new_session_callback(|_, _| {});
    let error = sessions.attach(own, domain("one")).unwrap_err();
    assert_eq!(error, AttachError::CallbackTaken("new_session"));
    assert!(error.to_string().contains("leave it unset"));
    assert!(
        sessions
            .attach(builder(Protocol::Tls13), domain("one"))
            .is_ok()
    );
}

/// R27: for resumed, declined and failed offers.
#[test]
fn outcomes_are_counted() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        client.visit(&server);
        server.rotate_keys();
        assert!(!client.visit(&server));
        let stats = client.stats();
        assert_eq!(
            (stats.resumed, stats.declined, stats.failed),
            (0, 1, 0),
            "{library}"
        );
        assert!(client.visit(&server), "with a session under the new keys");

        let broken = client.connector.connect(HOST, PORT, Silent { ended: true });
        drop(broken.unwrap_err());
        let stats = client.stats();
        assert_eq!(
            (stats.resumed, stats.declined, stats.failed),
            (1, 1, 1),
            "{library}"
        );
    });
}

/// R27: `failed` counts offers only.
#[test]
fn a_failed_handshake_without_an_offer_is_not_counted() {
    let client = Client::new(Protocol::Tls12);
    drop(
        client
            .connector
            .connect(HOST, PORT, Silent { ended: true })
            .unwrap_err(),
    );
    drop(would_block(client.connector.connect(
        HOST,
        PORT,
        Silent { ended: false },
    )));
    assert_eq!(client.stats().failed, 0);
}

/// R14: including the last ticket.
#[test]
fn sessions_survive_a_drop_without_close_notify() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        echo(&mut stream);
        drop(stream);
        let held = client.stats().sessions;
        assert_eq!(held, if protocol == Protocol::Tls13 { 2 } else { 1 });
        // All at once, so that the first and the last ticket of the dropped connection are used.
        let streams: Vec<_> = (0..held).map(|_| client.start(&server)).collect();
        for stream in streams {
            assert!(stream.ssl().session_reused(), "{library} {protocol}");
        }
        if protocol == Protocol::Tls12 {
            assert!(client.visit(&server), "after another drop");
        }
    });
}

/// Control of R14: the same drop makes OpenSSL's own object not resumable.
#[test]
fn openssls_own_session_does_not_survive_a_drop_without_close_notify() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let last = Arc::new(Mutex::new(None::<SslSession>));
        let mut raw = builder(protocol);
        raw.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        let received = last.clone();
        raw.set_new_session_callback(move |_, session| *received.lock().unwrap() = Some(session));
        let raw = raw.build();
        let run = |close_notify: bool| {
            let connect = |session: Option<SslSession>| -> SslStream<InMemory> {
                let mut ssl = raw.configure().unwrap().into_ssl(HOST).unwrap();
                if let Some(session) = session {
                    // SAFETY: the session comes from a connection of this context.
                    unsafe { ssl.set_session(&session) }.unwrap();
                }
                let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
                echo(&mut stream);
                stream
            };
            let mut full = connect(None);
            let session = last.lock().unwrap().take();
            if close_notify {
                close(&mut full);
            }
            drop(full);
            assert!(session.is_some());
            connect(session).ssl().session_reused()
        };
        assert!(run(true), "{protocol}");
        assert!(!run(false), "{protocol}");
    }
}

#[test]
fn the_negotiated_group_has_its_iana_number() {
    for protocol in Protocol::ALL {
        for (group, number) in [(Group::X25519, 29), (Group::P256, 23)] {
            let settings = ServerSettings {
                groups: vec![group],
                ..settings(protocol)
            };
            let server = Server::new(Library::OpenSsl, &settings);
            let client = Client::new(protocol);
            assert_eq!(
                negotiated_group(&client.ssl(true)),
                None,
                "before the handshake"
            );
            for resumed in [false, true] {
                let mut stream = client.start(&server);
                echo(&mut stream);
                assert_eq!(stream.ssl().session_reused(), resumed);
                let negotiated = negotiated_group(stream.ssl());
                assert_eq!(negotiated, Some(number), "{protocol} {group} {resumed}");
                close(&mut stream);
            }
        }
    }
}

/// R26: a connection knows how much early data the offered session allows, and writing early data
/// does not count as a completed handshake.
#[test]
fn early_data_does_not_end_the_handshake() {
    let settings = ServerSettings {
        max_early_data: 4_096,
        ..settings(Protocol::Tls13)
    };
    let server = Server::new(Library::OpenSsl, &settings);
    let client = Client::new(Protocol::Tls13);
    echo(&mut client.start(&server));

    let ssl = client.connector.ssl(HOST, client.key());
    let mut ssl = ssl.expect("a connection");
    let prepared = connection(&ssl).expect("a prepared connection");
    assert_eq!(prepared.early_data_allowed(), 4_096);
    ssl.set_connect_state();
    let mut stream = SslStream::new(ssl, InMemory::new(&server)).expect("a stream");
    assert_eq!(stream.write_early_data(b"hello").expect("a write"), 5);
    let stats = || client.sessions.store().stats();
    assert_eq!((stats().resumed, stats().declined), (0, 0));
    assert!(!early_data_accepted(stream.ssl()));
    stream.connect().expect("a handshake");
    assert_eq!((stats().resumed, stats().declined), (1, 0));
    assert!(early_data_accepted(stream.ssl()));
    assert_eq!(stream.get_mut().server().early_data(), b"hello");
}

#[test]
fn a_connection_has_the_lifetime_and_early_data_of_its_tickets() {
    let settings = ServerSettings {
        lifetime: Some(Duration::from_secs(1_234)),
        max_early_data: 4_096,
        ..settings(Protocol::Tls13)
    };
    let server = Server::new(Library::OpenSsl, &settings);
    let client = Client::new(Protocol::Tls13);
    let mut stream = client.start(&server);
    assert_eq!(
        (
            connection_of(&stream).tickets(),
            connection_of(&stream).lifetime()
        ),
        (0, None)
    );
    echo(&mut stream);
    assert_eq!(
        connection_of(&stream).lifetime(),
        Some(Duration::from_secs(1_234))
    );
    assert_eq!(connection_of(&stream).max_early_data(), Some(4_096));
    assert_eq!(connection_of(&stream).key(), &client.key());
    let plain = SslConnector::builder(SslMethod::tls_client())
        .unwrap()
        .build();
    let unprepared = plain.configure().unwrap().into_ssl(HOST).unwrap();
    assert!(connection(&unprepared).is_none());
}
