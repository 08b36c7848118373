//! Futures that are dropped before they are done.

use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lab::server::{Library, Protocol};
use tls_resume::tokio::{Backend, Connector};
use tls_resume::{ErrorKind, Resumption, Stats};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::{sleep, timeout};

use super::clients::{Relay, Relaying, Stuck, builder, client, listen, servers, settings, visit};
use crate::servers::HOST;

/// Each session offered is counted as resumed, declined, failed or cancelled.
fn assert_accounted_for(stats: &Stats) {
    let ends = stats.resumed + stats.declined + stats.failed + stats.cancelled;
    assert_eq!(stats.offered, ends, "{stats:?}");
}

pub(crate) async fn no_session_is_taken_before_tcp_is_connected<B: Backend>() {
    for (_, server) in servers() {
        let client = client::<B>();
        visit(&client, server.port()).await;
        let before = client.blocking().stats();
        let (connects, port) = (client.clone(), server.port());
        let cancels = thread::spawn(move || cancel_while_resolving(&connects, port));
        cancels.join().expect("no panic");
        assert_eq!(client.blocking().stats(), before);
        let stream = visit(&client, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}

/// Polls a connection in a runtime whose only thread for names is busy, and drops it.
fn cancel_while_resolving<B: Backend>(client: &Connector<B>, port: u16) {
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    let runtime = runtime.expect("a runtime");
    let (free, busy) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || busy.recv());
    runtime.block_on(async {
        let mut connecting = pin!(client.connect(HOST, port));
        tokio::select! {
            biased;
            connected = &mut connecting => panic!("it did not wait: {connected:?}"),
            () = std::future::ready(()) => {}
        }
    });
    drop(free);
}

/// Cancels a handshake after `left` bytes from the server. False if the handshake was done by then.
async fn cancel_after<B: Backend>(client: &Connector<B>, at: &TcpStream, left: usize) -> bool {
    let io = TcpStream::connect(at.peer_addr().expect("a peer")).await;
    let io = Stuck {
        io: io.expect("TCP"),
        left,
    };
    let port = at.peer_addr().expect("a peer").port();
    let mut connecting = pin!(client.connect_stream(HOST, port, io));
    // Longer than a handshake on this machine takes.
    timeout(Duration::from_millis(150), &mut connecting)
        .await
        .is_err()
}

pub(crate) async fn cancelled_handshakes_leave_the_other_sessions<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        visit(&client, server.port()).await;
        let address = TcpStream::connect(server.address()).await.expect("TCP");
        // Before the first byte, within a record's header, within the first flight.
        for left in [0, 3, 60] {
            let before = client.blocking().stats();
            assert!(cancel_after(&client, &address, left).await, "{left} bytes");
            let after = client.blocking().stats();
            assert_eq!(after.cancelled, before.cancelled + 1);
            assert_eq!((after.failed, after.stored), (before.failed, before.stored));
            let used_up = u64::from(version == Protocol::Tls13);
            assert_eq!(after.sessions, before.sessions - used_up, "{version}");
            assert_accounted_for(&after);
            // The others still resume, and bring a new ticket each.
            let stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
        }
    }
}

pub(crate) async fn the_connectors_timeout_is_a_failure<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(Library::Rustls, &settings(version));
        let relay = Relay::before(&server).await;
        let built = builder::<B>().timeout(Duration::from_millis(800)).build();
        let client = built.expect("valid settings").tokio();
        visit(&client, relay.port).await;
        relay.set(Relaying::Silent);
        let error = client
            .connect(HOST, relay.port)
            .await
            .expect_err("a timeout");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.cancelled), (1, 0));
        assert_accounted_for(&stats);
        relay.set(Relaying::On);
        let stream = visit(&client, relay.port).await;
        assert_eq!(stream.resumption(), Resumption::Full);
    }
}

pub(crate) async fn waiting_for_tickets_can_be_cancelled<B: Backend>() {
    for (_, server) in servers() {
        let client = client::<B>();
        let mut stream = client
            .connect(HOST, server.port())
            .await
            .expect("connected");
        {
            let mut waiting = pin!(stream.wait_for_tickets(Duration::from_secs(10)));
            tokio::select! {
                biased;
                _ = &mut waiting => {}
                () = std::future::ready(()) => {}
            }
        }
        sleep(Duration::from_millis(1)).await;
        super::clients::talk(&mut stream).await;
        drop(stream);
        let stream = visit(&client, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}
