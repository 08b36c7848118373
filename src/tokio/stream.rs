//! The stream for tasks of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::task::yield_now;
use ::tokio::time::{Instant, sleep};

use crate::Protocol;
use crate::backend::AsyncBackend;
use crate::backend::sealed::AsyncTls;
use crate::connection_info::{Connection, ConnectionInfo, Details};
use crate::connector::Kin;
use crate::deadline::after;
use crate::stream::MORE_TICKETS;
use crate::transport::AsyncIo;

/// A TLS connection over `IO`, to read from and write to. Dereferences to [`ConnectionInfo`].
///
/// Sessions that the server sends are stored automatically. TLS 1.3 servers send them after
/// the handshake, and they arrive while the application reads: a connection that never reads stores
/// none, unless it [waits for them](Self::wait_for_tickets).
///
/// The stream may buffer what is written: flush it before reading the answer. Shutting it down
/// ([`AsyncWrite::poll_shutdown`]) sends `close_notify`: the client will send nothing more. It also reads
/// what has arrived, without waiting, up to the first application data, since a TCP connection that is
/// dropped with unread bytes, such as tickets, is reset.
pub struct Stream<B: AsyncBackend, IO: AsyncIo> {
    info: ConnectionInfo<B::AsyncTls<IO>>,
    /// What it keeps for connections that resume its session.
    kept: Option<Arc<Kin<B>>>,
    closed: bool,
    shutdown: Shutdown,
    retried: bool,
}

/// How far a shutdown is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    /// `close_notify` is to be sent.
    Unsent,
    /// It is sent. The runtime is about to look what has arrived.
    Sent,
    /// What had arrived is read.
    Done,
}

impl<B: AsyncBackend, IO: AsyncIo> Stream<B, IO> {
    pub(super) fn new(tls: B::AsyncTls<IO>, kept: Option<Arc<Kin<B>>>, retried: bool) -> Self {
        Self {
            info: ConnectionInfo::new(tls),
            kept,
            closed: false,
            shutdown: Shutdown::Unsent,
            retried,
        }
    }

    pub(crate) fn kept(&self) -> Option<&Arc<Kin<B>>> {
        self.kept.as_ref()
    }

    /// Whether this connection is a second attempt, after a handshake with a session failed
    /// ([`retry_failed_resumption`](crate::generic::ConnectorBuilder::retry_failed_resumption)).
    pub fn retried(&self) -> bool {
        self.retried
    }

    /// Reads until the server's sessions have arrived, for `timeout` at most, and returns how many
    /// this connection has received so far. Application data that arrives meanwhile is kept for
    /// reading. Dropping the future loses nothing.
    ///
    /// For clients that close a connection without reading. Servers may send none, which is no
    /// error. After the first session it waits 2 ms for more. Returns at once if there is nothing
    /// to wait for: a TLS 1.2 session comes with the handshake, and a host in
    /// [`never_resume`](crate::generic::ConnectorBuilder::never_resume) has no sessions.
    pub async fn wait_for_tickets(&mut self, timeout: Duration) -> io::Result<usize> {
        self.wait_by(timeout, sleep).await
    }

    /// Waits for tickets by the timers that `sleep` makes.
    pub(crate) async fn wait_by<T: Future<Output = ()>>(
        &mut self,
        timeout: Duration,
        sleep: impl Fn(Duration) -> T,
    ) -> io::Result<usize> {
        if self.protocol() == Protocol::Tls12 || !self.info.tls.details().keeps_sessions() {
            return Ok(self.tickets());
        }
        let deadline = after(timeout);
        let (mut end, mut seen) = (deadline, 0);
        loop {
            if self.tickets() > seen {
                seen = self.tickets();
                end = deadline.min(Instant::now() + MORE_TICKETS);
            }
            let mut timer = pin!(sleep(end.saturating_duration_since(Instant::now())));
            let ahead = poll_fn(|cx| {
                if let Poll::Ready(read) = self.info.tls.poll_read_ahead(cx) {
                    return Poll::Ready(Some(read));
                }
                if self.tickets() > seen {
                    return Poll::Ready(None);
                }
                timer.as_mut().poll(cx).map(|()| Some(Ok(())))
            });
            if let Some(read) = ahead.await {
                return read.map(|()| self.tickets());
            }
        }
    }

    /// Reads what has arrived, up to the first application data.
    fn read_arrived(&mut self, cx: &mut Context<'_>) {
        // An error, such as a reset, changes nothing: the connection has ended.
        let _ = self.info.tls.poll_read_ahead(cx);
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.info.tls.io()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.info.tls.io_mut()
    }
}

impl<B: AsyncBackend, IO: AsyncIo> Deref for Stream<B, IO> {
    type Target = ConnectionInfo<B::AsyncTls<IO>>;

    fn deref(&self) -> &Self::Target {
        &self.info
    }
}

impl<B: AsyncBackend, IO: AsyncIo> Unpin for Stream<B, IO> {}

impl<B: AsyncBackend, IO: AsyncIo> AsyncRead for Stream<B, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.info.tls).poll_read(cx, buf)
    }
}

impl<B: AsyncBackend, IO: AsyncIo> AsyncWrite for Stream<B, IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            // rustls would accept the data and drop it.
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.info.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.info.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        if self.shutdown != Shutdown::Sent {
            ready!(Pin::new(&mut self.info.tls).poll_shutdown(cx))?;
        }
        if self.shutdown == Shutdown::Unsent {
            self.shutdown = Shutdown::Sent;
            // tokio learns at its next look at the sockets what has arrived.
            ready!(pin!(yield_now()).poll(cx));
        }
        if self.shutdown == Shutdown::Sent {
            self.shutdown = Shutdown::Done;
            self.read_arrived(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<B: AsyncBackend, IO: AsyncIo> fmt::Debug for Stream<B, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("protocol", &self.protocol())
            .field("resumption", &self.resumption())
            .finish_non_exhaustive()
    }
}
