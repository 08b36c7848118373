//! What OpenSSL has written and the transport has not taken yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tokio::AsyncIo;

/// Bytes that wait at most before OpenSSL is told to wait, too: some records. Only a server that keeps
/// asking for answers in the midst of reading (TLS 1.3's key updates) comes near.
const MOST: usize = 64 * 1024;

/// A transport that takes at once what OpenSSL writes, and passes it on when the one below can.
///
/// OpenSSL has encrypted what it writes, and keeps it until it is taken; it must be asked to write the
/// same again, which a task that was told *pending* need not do. And it takes a flush that is pending
/// for a failure. So neither reaches it.
pub(super) struct Outbox<IO> {
    io: IO,
    waiting: Vec<u8>,
    // invariant: a part of `waiting`, and nothing if that is empty
    sent: usize,
    unflushed: bool,
    closing: bool,
}

impl<IO> Outbox<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            waiting: Vec::new(),
            sent: 0,
            unflushed: false,
            closing: false,
        }
    }

    pub(super) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(super) fn get_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    /// Whether OpenSSL has said its farewell, and nothing is left but to pass it on.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }
}

impl<IO: AsyncIo> Outbox<IO> {
    /// Passes on what waits, and flushes if that is owed.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            let taken = Pin::new(&mut self.io).poll_write(cx, &self.waiting[self.sent..]);
            match ready!(taken)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.sent += taken,
            }
        }
        self.waiting.clear();
        self.sent = 0;
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The same as far as it goes now.
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
        // The answer may be to what waits. Where that cannot be sent any more, the next write says so:
        // the server's last words are to be heard first.
        let _ = self.try_send(cx);
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncIo> AsyncWrite for Outbox<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() - self.sent > MOST {
            ready!(self.poll_send(cx))?;
        }
        self.waiting.extend_from_slice(buf);
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
