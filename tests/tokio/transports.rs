//! Transports that take their time to send, as those with something of their own below do.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tls_resume::tokio::{AsyncIo, Backend, Stream};
use tls_resume::{ErrorKind, Resumption};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::peer::{HOST, LONG, Relay, Relaying, Stuck, builder, client, servers, talk, visit};

/// Every other time it is asked to write, to flush or to end, it takes some time first; and it sends
/// nothing at all while it is held.
#[derive(Debug)]
struct Hesitant<IO> {
    io: IO,
    hesitates: bool,
    held: bool,
}

impl<IO> Hesitant<IO> {
    fn over(io: IO) -> Self {
        Self {
            io,
            hesitates: true,
            held: false,
        }
    }
}

impl<IO: AsyncIo> Hesitant<IO> {
    fn then<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let hesitates = self.hesitates;
        self.hesitates = !hesitates;
        if self.held {
            return Poll::Pending;
        }
        if hesitates {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        act(Pin::new(&mut self.io), cx)
    }
}

impl<IO: AsyncIo> AsyncRead for Hesitant<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncIo> AsyncWrite for Hesitant<IO> {
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

pub(crate) async fn one_that_takes_its_time_is_resumed_over<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        for expected in [Resumption::Full, Resumption::Resumed] {
            let io = Hesitant::over(tcp(server.port()).await);
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
                ended.expect("an end").expect("a farewell");
            }
        }
        let facts = server.wait_for_handshakes(2, LONG);
        assert!(facts[1].resumed, "{version}");
    }
}

/// A connection on which a task has given up to write much.
async fn after_a_write<B: Backend>(port: u16) -> Stream<B, Hesitant<TcpStream>> {
    let io = Hesitant::over(tcp(port).await);
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

/// A task may stop waiting for a write, and write something else.
pub(crate) async fn a_write_that_is_given_up_spoils_nothing<B: Backend>() {
    for (version, server) in servers() {
        for after in [b"the end".to_vec(), vec![b'b'; 40_000]] {
            let mut stream = after_a_write::<B>(server.port()).await;
            // Not to its end: some of the first is sent all the same.
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

/// And end the connection, which is then said in full.
pub(crate) async fn a_farewell_after_a_write_that_is_given_up<B: Backend>() {
    for (version, server) in servers() {
        let mut stream = after_a_write::<B>(server.port()).await;
        let ended = timeout(LONG, stream.shutdown()).await;
        ended.expect("an end").expect("a farewell");
        // The server answers with its own, behind what it was sent before.
        let rest = timeout(LONG, stream.read_to_end(&mut Vec::new())).await;
        let rest = rest.expect("an end");
        assert!(rest.is_ok(), "{version} {rest:?}");
    }
}

/// The farewell is ours, and no wait for the server's.
pub(crate) async fn a_farewell_needs_no_answer<B: Backend>() {
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
            ended.expect("no wait").expect("a farewell");
        }
    }
}

/// Whoever is too busy to begin in time has no reason to think ill of the server.
pub(crate) async fn a_task_that_was_kept_busy_costs_no_session<B: Backend>() {
    for (version, server) in servers() {
        let built = builder::<B>().timeout(Duration::from_millis(500)).build();
        let client = built.expect("valid settings").tokio();
        drop(visit(&client, server.port()).await);
        let held = client.blocking().stats().sessions;
        let (connected, ()) = tokio::join!(client.connect(HOST, server.port()), async {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_secs(1));
        });
        let error = connected.expect_err("too late");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{version} {error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.sessions), (0, held), "{version}");
    }
}

/// R9: what makes a server hang is not offered again and again.
pub(crate) async fn a_time_of_ones_own_can_count_as_a_failure<B: Backend>() {
    for (version, server) in servers() {
        let relay = Relay::before(&server).await;
        let client = client::<B>();
        drop(visit(&client, relay.port).await);
        relay.set(Relaying::Silent);
        let io = tcp(relay.port).await;
        let end = Instant::now() + Duration::from_millis(100);
        let connected = client.connect_stream_until(HOST, relay.port, io, end).await;
        let error = connected.expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{version} {error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.sessions), (1, 0), "{version}");
    }
}
