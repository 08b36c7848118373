//! A write buffer between OpenSSL and a transport for tasks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::TlsEvidence;
use crate::first_bytes::FirstBytes;
use crate::transport::AsyncIo;

/// Bytes in the buffer above which OpenSSL's writes are pending: a few records. The buffer grows to
/// it only if a server sends many key updates (TLS 1.3) while the client reads.
const MAX_BUFFERED: usize = 64 * 1024;

/// A transport that buffers what OpenSSL writes, and sends it when the underlying transport is
/// ready.
///
/// OpenSSL must not see *pending* writes or flushes: after a write that would block it expects the
/// same write again, which a task may never make, and it takes a pending flush for a failure.
pub(super) struct Outbox<IO> {
    io: IO,
    buffered: Vec<u8>,
    // invariant: at most the length of `buffered`; bytes of it that were sent
    sent: usize,
    unflushed: bool,
    closing: bool,
    received: FirstBytes,
}

impl<IO> Outbox<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            buffered: Vec::new(),
            sent: 0,
            unflushed: false,
            closing: false,
            received: FirstBytes::default(),
        }
    }

    pub(super) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(super) fn get_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    /// What shows that the server speaks TLS, for the error of a handshake.
    pub(super) fn evidence(&self, offered_session: bool) -> TlsEvidence {
        TlsEvidence::new(self.received.are_tls(), offered_session)
    }

    /// Whether OpenSSL has written its `close_notify`.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }
}

impl<IO: AsyncIo> Outbox<IO> {
    /// Sends the buffer, and flushes if OpenSSL has requested a flush.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.buffered.len() {
            let written = Pin::new(&mut self.io).poll_write(cx, &self.buffered[self.sent..]);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        self.buffered.clear();
        self.sent = 0;
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// As [`poll_send`](Self::poll_send), but not an error if the transport is not ready.
    fn try_send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.poll_send(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }
}

impl<IO: AsyncIo> AsyncRead for Outbox<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The server may be waiting for the buffer. The next write reports an error of sending it:
        // what the server sent before it closed the connection is read first.
        let _ = self.try_send(cx);
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.received.add(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncIo> AsyncWrite for Outbox<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.buffered.len() - self.sent > MAX_BUFFERED {
            ready!(self.poll_send(cx))?;
        }
        self.buffered.extend_from_slice(buf);
        Poll::Ready(self.try_send(cx).map(|()| buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = true;
        Poll::Ready(self.try_send(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closing = true;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
