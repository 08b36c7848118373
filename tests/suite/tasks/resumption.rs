//! Sessions are stored and resumed.

use std::collections::HashSet;
use std::time::Duration;

use lab::server::{Group, Library, Protocol, ServerSettings};
use tls_resume::tokio::Backend;
use tls_resume::{ConnectOptions, Resumption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clients::{builder, client, listen, servers, settings, talk, visit};
use crate::servers::{HOST, LONG};

pub(crate) async fn tcp_connections_resume<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        for (visits, expected) in [Resumption::Full, Resumption::Resumed, Resumption::Resumed]
            .into_iter()
            .enumerate()
        {
            let stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), expected, "{version}, visit {visits}");
            assert!(stream.tickets() > 0 || version == Protocol::Tls12);
            assert!(!stream.peer_certificates().is_empty());
            let facts = server.wait_for_handshakes(visits + 1, LONG);
            assert_eq!(facts[visits].resumed, expected == Resumption::Resumed);
        }
        let stats = client.blocking().stats();
        assert_eq!((stats.resumed, stats.cancelled, stats.failed), (2, 0, 0));
    }
}

pub(crate) async fn connections_over_the_callers_transport_resume<B: Backend>() {
    for (_, server) in servers() {
        let client = client::<B>();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let tcp = TcpStream::connect(server.address()).await.expect("TCP");
            let connected = client.connect_stream(HOST, 443, tcp).await;
            let mut stream = connected.expect("a connection");
            talk(&mut stream).await;
            seen.push(stream.resumption());
            stream.shutdown().await.expect("close_notify");
        }
        assert_eq!(seen, [Resumption::Full, Resumption::Resumed]);
    }
}

pub(crate) async fn sessions_are_shared_with_the_blocking_connector<B: Backend>() {
    for (_, server) in servers() {
        let client = client::<B>();
        visit(&client, server.port()).await;
        let (blocking, port) = (client.blocking().clone(), server.port());
        let there = tokio::task::spawn_blocking(move || {
            let mut stream = blocking.connect(HOST, port).expect("a connection");
            stream.wait_for_tickets(LONG).expect("a wait");
            stream.resumption()
        });
        assert_eq!(there.await.expect("no panic"), Resumption::Resumed);
        let stream = visit(&client, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}

/// R7: the server sees no ticket twice.
pub(crate) async fn tasks_use_each_ticket_once<B: Backend>() {
    const TASKS: usize = 24;
    let server = listen(
        Library::Rustls,
        &ServerSettings {
            tickets: TASKS,
            ..settings(Protocol::Tls13)
        },
    );
    let client = client::<B>();
    visit(&client, server.port()).await;
    let held = client.blocking().stats().sessions;
    assert_eq!(held, TASKS as u64);
    let visits: Vec<_> = (0..TASKS)
        .map(|_| {
            let (client, port) = (client.clone(), server.port());
            tokio::spawn(async move { client.connect(HOST, port).await.expect("a connection") })
        })
        .collect();
    for visit in visits {
        let stream = visit.await.expect("no panic");
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
    let facts = server.wait_for_handshakes(TASKS + 1, LONG);
    assert_eq!(facts.iter().filter(|facts| facts.resumed).count(), TASKS);
    let tickets: HashSet<_> = facts
        .iter()
        .filter_map(|facts| facts.ticket.clone())
        .collect();
    assert_eq!(tickets.len(), TASKS);
}

/// R6.
pub(crate) async fn never_resume_hosts_neither_store_nor_offer<B: Backend>() {
    for (_, server) in servers() {
        let built = builder::<B>().never_resume([HOST]).build();
        let client = built.expect("valid settings").tokio();
        for _ in 0..2 {
            let stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), Resumption::Full);
        }
        assert_eq!(client.blocking().stats().sessions, 0);
    }
}

/// R35, R36.
pub(crate) async fn connections_have_their_own_options<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        let partition = ConnectOptions::new().partition("a");
        let off = ConnectOptions::new().resumption(false);
        for (options, expected) in [
            (&ConnectOptions::new(), Resumption::Full),
            (&partition, Resumption::Full),
            (&off, Resumption::Full),
            (&partition, Resumption::Resumed),
            (&ConnectOptions::new(), Resumption::Resumed),
        ] {
            let stream = client.connect_with(HOST, server.port(), options).await;
            let mut stream = stream.expect("a connection");
            talk(&mut stream).await;
            assert_eq!(stream.resumption(), expected, "{version} {options:?}");
        }
        let tcp = TcpStream::connect(server.address()).await.expect("TCP");
        let port = server.port();
        let connected = client.connect_stream_with(HOST, port, tcp, &partition);
        let stream = connected.await.expect("a connection");
        assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
    }
}

pub(crate) async fn waiting_stores_tickets_and_loses_no_data<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        let mut stream = client
            .connect(HOST, server.port())
            .await
            .expect("connected");
        stream.write_all(b"hello").await.expect("a write");
        let tickets = stream.wait_for_tickets(LONG).await.expect("a wait");
        assert!(tickets > 0, "{version}");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.expect("a read");
        assert_eq!(&echo, b"hello");
        assert!(client.blocking().stats().sessions > 0);
    }
}

pub(crate) async fn waiting_ends_at_the_timeout<B: Backend>() {
    for library in Library::ALL {
        let none = ServerSettings {
            tickets: 0,
            ..settings(Protocol::Tls13)
        };
        let server = listen(library, &none);
        let connected = client::<B>().connect(HOST, server.port()).await;
        let mut stream = connected.expect("a connection");
        let waited = stream.wait_for_tickets(Duration::from_millis(20)).await;
        assert_eq!(waited.expect("a wait"), 0);
        talk(&mut stream).await;
    }
}

/// The size of a session of rustls 0.23 is the bytes that arrived with it.
pub(crate) async fn application_data_does_not_count_as_session_size<B: Backend>() {
    for library in Library::ALL {
        let server = listen(library, &settings(Protocol::Tls13));
        let client = client::<B>();
        let mut stream = client
            .connect(HOST, server.port())
            .await
            .expect("connected");
        let mut answer = vec![0; 64 * 1024];
        for _ in 0..8 {
            stream.write_all(&answer.clone()).await.expect("a write");
            stream.flush().await.expect("a flush");
            stream.read_exact(&mut answer).await.expect("an echo");
        }
        let stats = client.blocking().stats();
        assert!(stats.stored > 0);
        assert_eq!(stats.refused_too_large, 0);
    }
}

/// R39.
pub(crate) async fn the_servers_last_group_is_offered_first<B: Backend>() {
    let settings = ServerSettings {
        groups: vec![Group::P256],
        ..settings(Protocol::Tls13)
    };
    let server = listen(Library::OpenSsl, &settings);
    let client = client::<B>();
    for _ in 0..3 {
        visit(&client, server.port()).await;
    }
    let facts = server.wait_for_handshakes(3, LONG);
    let shares: Vec<_> = facts.iter().map(|one| one.key_shares.first()).collect();
    assert_ne!(shares[0], Some(&23), "the first visit knows nothing");
    assert_eq!(shares[1..], [Some(&23); 2]);
}

/// The channel binding is the server's (RFC 9266), and so is other keying material.
pub(crate) async fn both_ends_export_the_same_keying_material<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        for count in 1..=2 {
            let stream = visit(&client, server.port()).await;
            let seen = server.wait_for_handshakes(count, LONG);
            let expected = seen[count - 1].tls_exporter;
            let mut material = [0; 32];
            let label = "EXPORTER-Channel-Binding";
            let exported = stream.export_keying_material(&mut material, label, Some(b""));
            exported.expect("keying material");
            assert_eq!(Some(material), expected, "{version:?}");
            let is_openssl = client.blocking().backend_name() == "openssl";
            let knows = version == Protocol::Tls13 || is_openssl;
            assert_eq!(stream.tls_exporter(), expected.filter(|_| knows));
        }
    }
}

/// What the application keeps beside a session, it has again on a connection that resumes it.
pub(crate) async fn application_data_comes_back_with_the_session<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        let first = visit(&client, server.port()).await;
        assert_eq!(first.application_data(), None);
        first
            .set_application_data(b"250 PIPELINING")
            .expect("it fits");
        drop(first);
        for _ in 0..3 {
            let stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), Resumption::Resumed);
            let kept = stream.application_data().expect("beside the session");
            assert_eq!(*kept, *b"250 PIPELINING", "{version}");
        }
    }
}
