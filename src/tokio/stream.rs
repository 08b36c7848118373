//! A connection that is driven by tasks, the same for either backend.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::{Instant, sleep_until};

use super::{AsyncIo, Backend, after};
use crate::Protocol;
use crate::backend::sealed::AsyncTls;
use crate::facts::{Facts, tells_its_facts};
use crate::stream::MORE_TICKETS;

/// A TLS connection over `IO`, to read from and write to.
///
/// Sessions that the server sends while it lives are stored by themselves. TLS 1.3 servers send
/// them after the handshake, and they arrive while the application reads:
/// a connection that never reads stores none ([`wait_for_tickets`](Self::wait_for_tickets)).
///
/// What is written may wait in the stream until it is flushed: flush before reading the answer.
/// Shutting it down ([`AsyncWrite::poll_shutdown`]) tells the server that nothing more will be sent
/// (`close_notify`).
pub struct Stream<B: Backend, IO: AsyncIo> {
    tls: B::AsyncTls<IO>,
    closed: bool,
}

impl<B: Backend, IO: AsyncIo> Stream<B, IO> {
    pub(super) fn new(tls: B::AsyncTls<IO>) -> Self {
        Self { tls, closed: false }
    }

    #[cfg(any(feature = "rustls", feature = "openssl"))] // the preview has no tasks
    pub(crate) fn tls(&self) -> &B::AsyncTls<IO> {
        &self.tls
    }

    fn facts(&self) -> impl Facts {
        self.tls.facts()
    }

    tells_its_facts!();

    /// Reads until the server's sessions have come, at most for `deadline`, and says how many this
    /// connection received so far. Application data that comes meanwhile is kept for reading.
    /// Dropping the future loses nothing.
    ///
    /// For clients that are done before they read anything. Returns at once if there is nothing to
    /// wait for: with TLS 1.2 the session comes with the handshake, and a host that is never resumed
    /// with has none.
    pub async fn wait_for_tickets(&mut self, deadline: Duration) -> io::Result<usize> {
        if self.protocol() == Protocol::Tls12 || !self.facts().keeps_sessions() {
            return Ok(self.tickets());
        }
        let deadline = after(deadline);
        let (mut end, mut seen) = (deadline, 0);
        loop {
            if self.tickets() > seen {
                seen = self.tickets();
                end = deadline.min(Instant::now() + MORE_TICKETS);
            }
            let mut over = pin!(sleep_until(end));
            let ahead = poll_fn(|cx| {
                if let Poll::Ready(read) = self.tls.poll_ahead(cx) {
                    return Poll::Ready(Some(read));
                }
                if self.tickets() > seen {
                    return Poll::Ready(None);
                }
                over.as_mut().poll(cx).map(|()| Some(Ok(())))
            });
            if let Some(read) = ahead.await {
                return read.map(|()| self.tickets());
            }
        }
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.tls.io()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.tls.io_mut()
    }
}

impl<B: Backend, IO: AsyncIo> Unpin for Stream<B, IO> {}

impl<B: Backend, IO: AsyncIo> AsyncRead for Stream<B, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl<B: Backend, IO: AsyncIo> AsyncWrite for Stream<B, IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            // rustls would take the data and drop it.
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        ready!(Pin::new(&mut self.tls).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}

impl<B: Backend, IO: AsyncIo> fmt::Debug for Stream<B, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("protocol", &self.protocol())
            .field("resumption", &self.resumption())
            .finish_non_exhaustive()
    }
}
