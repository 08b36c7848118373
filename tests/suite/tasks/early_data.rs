//! R26: early data.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use lab::faults::{Fault, FaultyProxy};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::tokio::{Backend, Connector, Stream};
use tls_resume::{ErrorKind, Resumption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::clients::{Relay, Relaying, Stuck, builder, client, listen, settings, visit};
use crate::servers::{HOST, LONG};

/// The bytes of early data that the servers allow.
const MAX: u32 = 16 * 1024;

fn allowing() -> ServerSettings {
    ServerSettings {
        max_early_data: MAX,
        ..settings(Protocol::Tls13)
    }
}

fn early<B: Backend>() -> Connector<B> {
    let built = builder().early_data(true).build();
    built.expect("valid settings").tokio()
}

/// Connects with `data`, writes the rest of it, and reads the echo: all of it, once, in order.
async fn exchange<B: Backend>(
    client: &Connector<B>,
    port: u16,
    data: &[u8],
) -> (Stream<B, TcpStream>, usize) {
    let connected = client.connect_early(HOST, port, data).await;
    let (mut stream, accepted) = connected.expect("a connection");
    stream.write_all(&data[accepted..]).await.expect("a write");
    stream.flush().await.expect("a flush");
    let mut echo = vec![0; data.len()];
    stream.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(echo, data);
    (stream, accepted)
}

pub(crate) async fn early_data_arrives_once<B: Backend>() {
    for library in Library::ALL {
        let server = listen(library, &allowing());
        for (client, is_sent) in [(client::<B>(), false), (early(), true)] {
            let port = server.port();
            let before = server.handshakes().len();
            visit(&client, port).await;
            for data in [&b"GET /"[..], &[7; 2_000], b""] {
                let (stream, accepted) = exchange(&client, port, data).await;
                assert_eq!(stream.resumption(), Resumption::Resumed);
                assert_eq!(accepted, if is_sent { data.len() } else { 0 });
            }
            let facts = server.wait_for_handshakes(before + 4, LONG);
            let came = facts[before..].iter().map(|facts| facts.early_data);
            let came: Vec<_> = came.collect();
            assert_eq!(came, [false, is_sent, is_sent, false], "{library}");
        }
    }
}

pub(crate) async fn early_data_is_limited_and_can_be_rejected<B: Backend>() {
    for library in Library::ALL {
        let server = TcpServer::start(Server::new(library, &allowing())).expect("a port");
        let client = early::<B>();
        visit(&client, server.port()).await;
        let data = vec![7; 100_000];
        let (_, accepted) = exchange(&client, server.port(), &data).await;
        assert!((1..MAX as usize).contains(&accepted), "{accepted}");
        server.server().rotate_keys();
        let (stream, accepted) = exchange(&client, server.port(), &[7; 3_000]).await;
        assert_eq!((stream.resumption(), accepted), (Resumption::Declined, 0));
    }
}

/// R7: the server sees no ticket twice.
pub(crate) async fn tickets_carry_early_data_once<B: Backend>() {
    const TASKS: usize = 32; // rustls 0.24.0-dev.1 fails after more tickets in a row
    for library in Library::ALL {
        let settings = ServerSettings {
            tickets: TASKS,
            ..allowing()
        };
        let server = listen(library, &settings);
        let client = early::<B>();
        visit(&client, server.port()).await;
        assert_eq!(client.blocking().stats().sessions, TASKS as u64);
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let (client, port) = (client.clone(), server.port());
                let data = format!("GET /{number}");
                tokio::spawn(async move {
                    let (_, accepted) = exchange(&client, port, data.as_bytes()).await;
                    assert_eq!(accepted, data.len());
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        let facts = server.wait_for_handshakes(TASKS + 1, LONG);
        let early = facts.iter().filter(|facts| facts.early_data);
        let tickets: HashSet<_> = early.filter_map(|facts| facts.ticket.clone()).collect();
        assert_eq!(tickets.len(), TASKS, "{library}");
    }
}

pub(crate) async fn cancelled_early_data_uses_up_its_ticket_only<B: Backend>() {
    for library in Library::ALL {
        let server = listen(library, &allowing());
        let client = early::<B>();
        visit(&client, server.port()).await;
        let before = client.blocking().stats();
        {
            let io = TcpStream::connect(server.address()).await.expect("TCP");
            let io = Stuck { io, left: 0 };
            let data = b"GET /";
            let mut connecting = pin!(client.connect_stream_early(HOST, server.port(), io, data));
            let waited = timeout(Duration::from_millis(100), &mut connecting).await;
            assert!(waited.is_err(), "connected without an answer");
        }
        let after = client.blocking().stats();
        assert_eq!((after.cancelled, after.failed), (1, 0));
        assert_eq!(after.sessions, before.sessions - 1);
        let (_, accepted) = exchange(&client, server.port(), b"GET /").await;
        assert_eq!(accepted, 5, "{library}");
    }
}

pub(crate) async fn unanswered_early_data_runs_into_the_timeout<B: Backend>() {
    let server = listen(Library::Rustls, &allowing());
    let relay = Relay::before(&server).await;
    let builder = builder::<B>().early_data(true);
    let built = builder.timeout(Duration::from_millis(800)).build();
    let client = built.expect("valid settings").tokio();
    visit(&client, relay.port).await;
    relay.set(Relaying::Silent);
    let failed = client.connect_early(HOST, relay.port, b"GET /").await;
    assert_eq!(failed.expect_err("a timeout").kind(), ErrorKind::Timeout);
    let stats = client.blocking().stats();
    assert_eq!((stats.failed, stats.cancelled), (1, 0));
    relay.set(Relaying::On);
    let (stream, accepted) = exchange(&client, relay.port, b"GET /").await;
    assert_eq!((stream.resumption(), accepted), (Resumption::Full, 0));
}

/// R30: a handshake that may have sent early data is not made again.
pub(crate) async fn early_data_is_not_sent_again<B: Backend>() {
    for library in Library::ALL {
        let server = listen(library, &allowing());
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let client = early::<B>();
        visit(&client, proxy.port()).await;
        proxy.set_fault_on_resumption(Fault::CloseAfterClientHello);
        let error = client.connect_early(HOST, proxy.port(), b"GET /").await;
        let error = error.expect_err("closed");
        assert!(error.offered_session() && !error.retried(), "{error}");
        let retried = client.blocking().stats().retried;
        assert_eq!((proxy.connections(), retried), (2, 0));
    }
}
