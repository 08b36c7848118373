//! Transports whose writes, flushes and shutdowns are pending.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lab::server::{Library, Protocol, Server};
use tls_resume::tokio::{AsyncIo, Backend, Stream};
use tls_resume::{ErrorKind, Resumption};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::clients::{Relay, Relaying, Stuck, builder, client, servers, settings, talk, visit};
use crate::reading_to_the_end::ReadingToTheEnd;
use crate::servers::{HOST, LONG};

/// A transport whose writes, flushes and shutdowns are pending every other time, and always while it
/// is held.
#[derive(Debug)]
struct OftenPending<IO> {
    io: IO,
    is_pending: bool,
    held: bool,
}

impl<IO> OftenPending<IO> {
    fn over(io: IO) -> Self {
        Self {
            io,
            is_pending: true,
            held: false,
        }
    }
}

impl<IO: AsyncIo> OftenPending<IO> {
    fn then<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let is_pending = self.is_pending;
        self.is_pending = !is_pending;
        if self.held {
            return Poll::Pending;
        }
        if is_pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        act(Pin::new(&mut self.io), cx)
    }
}

impl<IO: AsyncIo> AsyncRead for OftenPending<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncIo> AsyncWrite for OftenPending<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.then(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.then(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.then(cx, AsyncWrite::poll_shutdown)
    }
}

async fn tcp(port: u16) -> TcpStream {
    TcpStream::connect((HOST, port)).await.expect("TCP")
}

pub(crate) async fn connections_resume_over_a_transport_that_is_often_pending<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        for expected in [Resumption::Full, Resumption::Resumed] {
            let io = OftenPending::over(tcp(server.port()).await);
            let connecting = client.connect_stream(HOST, server.port(), io);
            let mut stream = timeout(LONG, connecting)
                .await
                .expect("an end")
                .expect("TLS");
            assert_eq!(stream.resumption(), expected, "{version}");
            talk(&mut stream).await;
            stream.wait_for_tickets(LONG).await.expect("a wait");
            for _ in 0..2 {
                let ended = timeout(LONG, stream.shutdown()).await;
                ended.expect("an end").expect("close_notify");
            }
        }
        let facts = server.wait_for_handshakes(2, LONG);
        assert!(facts[1].resumed, "{version}");
    }
}

/// A connection on which a task has cancelled a long write.
async fn after_a_write<B: Backend>(port: u16) -> Stream<B, OftenPending<TcpStream>> {
    let io = OftenPending::over(tcp(port).await);
    let connected = client::<B>().connect_stream(HOST, port, io).await;
    let mut stream = connected.expect("TLS");
    talk(&mut stream).await;
    stream.get_mut().held = true;
    let much = vec![b'a'; 1 << 20];
    let waited = timeout(Duration::from_millis(20), stream.write_all(&much)).await;
    assert!(waited.is_err(), "nobody takes it");
    stream.get_mut().held = false;
    stream
}

/// The bytes of both writes arrive in order.
pub(crate) async fn other_writes_may_follow_a_cancelled_write<B: Backend>() {
    for (version, server) in servers() {
        for after in [b"the end".to_vec(), vec![b'b'; 40_000]] {
            let mut stream = after_a_write::<B>(server.port()).await;
            // Not up to the echo of `after` alone: a part of the cancelled write was sent.
            let written = async {
                stream.write_all(&after).await?;
                stream.flush().await
            };
            timeout(LONG, written)
                .await
                .expect("an end")
                .expect("a write");
            let mut echo = Vec::new();
            while !echo.ends_with(&after) {
                let mut some = vec![0; 1 << 16];
                let read = timeout(LONG, stream.read(&mut some)).await;
                let read = read.expect("an echo").expect("a read");
                assert!(read > 0, "{version}");
                echo.extend_from_slice(&some[..read]);
            }
            let first = echo.len() - after.len();
            assert!(echo[..first].iter().all(|byte| *byte == b'a'), "{version}");
        }
    }
}

/// The server receives whole records and `close_notify`.
pub(crate) async fn shutdown_may_follow_a_cancelled_write<B: Backend>() {
    for (version, server) in servers() {
        let mut stream = after_a_write::<B>(server.port()).await;
        let ended = timeout(LONG, stream.shutdown()).await;
        ended.expect("an end").expect("close_notify");
        // The server answers with close_notify after its echo.
        let rest = timeout(LONG, stream.read_to_end(&mut Vec::new())).await;
        let rest = rest.expect("an end");
        assert!(rest.is_ok(), "{version} {rest:?}");
    }
}

/// Shutdown sends `close_notify`, and does not wait for the server's.
pub(crate) async fn shutdown_does_not_wait_for_the_server<B: Backend>() {
    for (_, server) in servers() {
        let io = Stuck {
            io: tcp(server.port()).await,
            left: usize::MAX,
        };
        let connected = client::<B>().connect_stream(HOST, server.port(), io).await;
        let mut stream = connected.expect("TLS");
        talk(&mut stream).await;
        stream.get_mut().left = 0;
        for _ in 0..3 {
            let ended = timeout(LONG, stream.shutdown()).await;
            ended.expect("no wait").expect("close_notify");
        }
    }
}

/// A client that begins the handshake too late learns nothing about the server.
pub(crate) async fn a_busy_thread_costs_no_session<B: Backend>() {
    for (version, server) in servers() {
        let built = builder::<B>().timeout(Duration::from_millis(500)).build();
        let client = built.expect("valid settings").tokio();
        let (error, held) = loop {
            drop(visit(&client, server.port()).await);
            let held = client.blocking().stats().sessions;
            let (connected, ()) = tokio::join!(client.connect(HOST, server.port()), async {
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_secs(1));
            });
            // It may be connected before the thread is busy.
            if let Err(error) = connected {
                break (error, held);
            }
        };
        assert_eq!(error.kind(), ErrorKind::Timeout, "{version} {error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.sessions), (0, held), "{version}");
    }
}

/// R9: a session that makes a server hang is not offered again.
pub(crate) async fn connect_stream_until_counts_a_timeout_as_a_failure<B: Backend>() {
    for (version, server) in servers() {
        let relay = Relay::before(&server).await;
        let client = client::<B>();
        drop(visit(&client, relay.port).await);
        relay.set(Relaying::Silent);
        let io = tcp(relay.port).await;
        let end = Instant::now() + Duration::from_millis(100);
        let connected = client.connect_stream_until(HOST, relay.port, io, end).await;
        let error = connected.expect_err("a timeout");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{version} {error}");
        let stats = client.blocking().stats();
        assert_eq!(stats.failed, 1, "{version}");
    }
}

/// Tickets that the client has not read make no reset, which could cost the server the last data.
pub(crate) async fn shutdown_with_unread_tickets_is_no_reset<B: Backend>() {
    for library in Library::ALL {
        for version in Protocol::ALL {
            let server = ReadingToTheEnd::start(&Server::new(library, &settings(version)));
            let client = client::<B>();
            let connected = client.connect(HOST, server.port()).await;
            let mut stream = connected.expect("a connection");
            stream.write_all(b"last words").await.expect("a write");
            stream.flush().await.expect("a flush");
            server.wait_for_the_tickets();
            let before = stream.tickets();
            stream.shutdown().await.expect("close_notify");
            let tickets = stream.tickets();
            drop(stream);
            let received = server.received().expect("an end without a reset");
            assert_eq!(received, b"last words", "{library} {version:?}");
            assert!(tickets > before || version == Protocol::Tls12, "{library}");
        }
    }
}
