//! Futures that are dropped before they are done.

use std::pin::pin;
use std::time::Duration;

use lab::server::{Library, Protocol};
use tls_resume::tokio::{Backend, Connector};
use tls_resume::{ErrorKind, Resumption, Stats};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::peer::{
    HOST, Relay, Relaying, Stuck, builder, client, listen, servers, settings, visit,
};

/// Every session that was handed out is accounted for.
fn assert_accounted_for(stats: &Stats) {
    let ends = stats.resumed + stats.declined + stats.failed + stats.cancelled;
    assert_eq!(stats.offered, ends, "{stats:?}");
}

pub(crate) async fn before_tcp_is_connected_no_session_is_taken<B: Backend>() {
    for (_, server) in servers() {
        let client = client::<B>();
        visit(&client, server.port()).await;
        let before = client.blocking().stats();
        {
            // Polled once, it has a name looked up.
            let mut connecting = pin!(client.connect(HOST, server.port()));
            tokio::select! {
                biased;
                _ = &mut connecting => panic!("connected without waiting"),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(client.blocking().stats(), before);
        let stream = visit(&client, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}

/// Gives a handshake up when so many bytes have come from the server; whether it came to that.
async fn give_up_after<B: Backend>(client: &Connector<B>, at: &TcpStream, left: usize) -> bool {
    let io = TcpStream::connect(at.peer_addr().expect("a peer")).await;
    let io = Stuck {
        io: io.expect("TCP"),
        left,
    };
    let port = at.peer_addr().expect("a peer").port();
    let mut connecting = pin!(client.connect_stream(HOST, port, io));
    // A handshake on this machine is done long before, if it can be done at all.
    timeout(Duration::from_millis(150), &mut connecting)
        .await
        .is_err()
}

pub(crate) async fn in_the_midst_of_a_handshake_the_other_sessions_stay<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        visit(&client, server.port()).await;
        let address = TcpStream::connect(server.address()).await.expect("TCP");
        // Before anything came; in the midst of a record's head; in the midst of the first flight.
        for left in [0, 3, 60] {
            let before = client.blocking().stats();
            assert!(give_up_after(&client, &address, left).await, "{left} bytes");
            let after = client.blocking().stats();
            assert_eq!(after.cancelled, before.cancelled + 1);
            assert_eq!((after.failed, after.stored), (before.failed, before.stored));
            let used_up = u64::from(version == Protocol::Tls13);
            assert_eq!(after.sessions, before.sessions - used_up, "{version}");
            assert_accounted_for(&after);
            // The others are as good as before, and what they bring makes up for the lost one.
            let stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
        }
    }
}

pub(crate) async fn a_timeout_of_the_connectors_own_is_a_failure<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(Library::Rustls, &settings(version));
        let relay = Relay::before(&server).await;
        let built = builder::<B>().timeout(Duration::from_millis(800)).build();
        let client = built.expect("valid settings").tokio();
        visit(&client, relay.port).await;
        relay.set(Relaying::Silent);
        let error = client.connect(HOST, relay.port).await.expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.cancelled, stats.sessions), (1, 0, 0));
        assert_accounted_for(&stats);
        relay.set(Relaying::On);
        let stream = visit(&client, relay.port).await;
        assert_eq!(stream.resumption(), Resumption::Full);
    }
}

pub(crate) async fn waiting_for_tickets_can_be_given_up<B: Backend>() {
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
        crate::peer::talk(&mut stream).await;
        drop(stream);
        let stream = visit(&client, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}
