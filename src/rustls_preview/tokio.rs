//! Connections of the next rustls for tasks of tokio.
//!
//! They are the blocking ones over a transport that does not block: where a read or a write would,
//! it fails, and the task makes it again when the transport is ready.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rustls_next::ClientConnection;

use super::RustlsPreview;
use super::tls::Tls;
use crate::Error;
use crate::backend::AsyncBackend;
use crate::backend::sealed::{self, Attempt, Tls as _};
use crate::connection_info::{self, Details};
use crate::deadline::in_time;
use crate::host::Host;
use crate::tokio::Stream;
use crate::transport::{AsyncIo, Transport};

impl AsyncBackend for RustlsPreview {}

impl<IO: AsyncIo> Stream<RustlsPreview, IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &ClientConnection {
        self.tls.tls.connection()
    }
}

impl sealed::AsyncBackend for RustlsPreview {
    type AsyncTls<IO: AsyncIo> = AsyncTls<IO>;

    async fn handshake_async<IO: AsyncIo>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: IO,
        deadline: impl Future<Output = ()> + Send,
    ) -> Result<(AsyncTls<IO>, usize), Error> {
        let io = Transport::new(Nonblocking::new(io));
        let (tls, sent) = self.begin(host, attempt, io)?;
        let is_over = false;
        let mut tls = AsyncTls { tls, is_over };
        let completing = poll_fn(|cx| tls.poll(cx, Tls::complete));
        let completed = in_time(deadline, completing).await;
        tls.is_over = true;
        let completed = completed.flatten();
        completed.map_err(|error| tls.tls.failed(host.as_str(), error))?;
        let accepted = self.settle(&tls.tls, sent);
        Ok((tls, accepted))
    }
}

/// A connection of rustls with its transport.
pub struct AsyncTls<IO> {
    tls: Tls<Nonblocking<IO>>,
    /// Whether the handshake has succeeded or failed.
    is_over: bool,
}

impl<IO> Drop for AsyncTls<IO> {
    /// Cancels a handshake that is not over.
    fn drop(&mut self) {
        if !self.is_over {
            self.tls.cancel();
        }
    }
}

impl<IO: AsyncIo> AsyncTls<IO> {
    /// Does what may fail because it would block: then it is pending.
    fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        act: impl FnOnce(&mut Tls<Nonblocking<IO>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let waker = &mut self.tls.io_mut().get_mut().waker;
        waker.clone_from(cx.waker());
        match act(&mut self.tls) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }
}

impl<IO> fmt::Debug for AsyncTls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTls").finish_non_exhaustive()
    }
}

impl<IO> connection_info::Connection for AsyncTls<IO> {
    fn details(&self) -> impl Details {
        self.tls.details()
    }
}

impl<IO: AsyncIo> sealed::AsyncTls<IO> for AsyncTls<IO> {
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |tls| {
            tls.try_send()?;
            while tls.read_ahead()? {}
            Ok(())
        })
    }

    fn io(&self) -> &IO {
        &self.tls.io().get_ref().io
    }

    fn io_mut(&mut self) -> &mut IO {
        &mut self.tls.io_mut().get_mut().io
    }
}

impl<IO: AsyncIo> AsyncRead for AsyncTls<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll(cx, |tls| tls.read(buf.initialize_unfilled()));
        buf.advance(ready!(read)?);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncIo> AsyncWrite for AsyncTls<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, |tls| tls.write(buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Write::flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll(cx, sealed::Tls::close))?;
        Pin::new(sealed::AsyncTls::io_mut(&mut *self)).poll_shutdown(cx)
    }
}

/// A transport for tasks as one that fails with [`io::ErrorKind::WouldBlock`] while it is not ready,
/// and then wakes the task.
#[derive(Debug)]
struct Nonblocking<IO> {
    io: IO,
    /// Wakes the task that polls the connection.
    waker: Waker,
}

impl<IO: AsyncIo> Nonblocking<IO> {
    fn new(io: IO) -> Self {
        let waker = Waker::noop().clone();
        Self { io, waker }
    }

    fn poll<T>(
        &mut self,
        act: impl FnOnce(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let mut cx = Context::from_waker(&self.waker);
        match act(Pin::new(&mut self.io), &mut cx) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<IO: AsyncIo> Read for Nonblocking<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        self.poll(|io, cx| io.poll_read(cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl<IO: AsyncIo> Write for Nonblocking<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.poll(|io, cx| io.poll_write(cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.poll(|io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.poll(AsyncWrite::poll_flush)
    }
}
