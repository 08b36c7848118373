//! rustls driven by tasks of tokio.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::rustls::ClientConnection;
use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::Instant;
use backend_rustls::tokio_rustls::TlsConnector;
use backend_rustls::tokio_rustls::client::TlsStream;
use backend_rustls::{Connection, PooledConfig};
use store_core::SessionKey;

use super::facts::Known;
use super::failure::of_handshake;
use super::{Rustls, accepted, noted, send_early, server_name};
use crate::Error;
use crate::backend::sealed;
use crate::facts::Facts;
use crate::tokio::{AsyncIo, Backend, Stream, in_time};

impl Backend for Rustls {}

impl<IO: AsyncIo> Stream<Rustls, IO> {
    /// The rustls connection, for what only rustls can tell.
    pub fn connection(&self) -> &ClientConnection {
        self.tls().stream.get_ref().1
    }
}

impl sealed::AsyncBackend for Rustls {
    type AsyncTls<IO: AsyncIo> = AsyncTls<IO>;

    async fn handshake_async<IO: AsyncIo>(
        &self,
        host: &str,
        key: Option<SessionKey>,
        early: &[u8],
        io: IO,
        end: Option<Instant>,
    ) -> Result<(AsyncTls<IO>, usize), Error> {
        let name = server_name(host)?;
        let handle = key.map(|key| self.sessions.connection(key));
        let lent = self.lend(handle.as_ref(), early);
        let given_up = GivenUp(handle.clone());
        let io = Counting {
            io,
            handle: handle.clone(),
        };
        let mut sent = 0;
        let begin = |connection: &mut ClientConnection| sent = send_early(connection, early);
        let connecting = TlsConnector::from(lent.config()).connect_with(name, io, begin);
        let connected = in_time(end, connecting).await.flatten();
        given_up.over();
        let stream = connected.map_err(|error| of_handshake(host, error))?;
        if let (Some(handle), Some(kind)) = (&handle, stream.get_ref().1.handshake_kind()) {
            handle.settle(kind);
        }
        let accepted = accepted(stream.get_ref().1, sent);
        let tls = AsyncTls {
            stream,
            _lent: lent,
            handle,
        };
        Ok((tls, accepted))
    }
}

/// A handshake under way: if this is dropped before it is over, it was given up.
struct GivenUp(Option<Arc<Connection>>);

impl GivenUp {
    /// It has ended by itself, one way or the other.
    fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
    }
}

/// A rustls connection whose handshake is done, with its transport.
pub struct AsyncTls<IO> {
    stream: TlsStream<Counting<IO>>,
    // Dropped after the connection that uses it.
    _lent: PooledConfig,
    handle: Option<Arc<Connection>>,
}

impl<IO> fmt::Debug for AsyncTls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTls").finish_non_exhaustive()
    }
}

impl<IO: AsyncIo> sealed::AsyncTls<IO> for AsyncTls<IO> {
    fn facts(&self) -> impl Facts {
        Known {
            connection: self.stream.get_ref().1,
            handle: self.handle.as_deref(),
        }
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let filled = Pin::new(&mut self.stream).poll_fill_buf(cx);
        match noted(ready!(filled).map(|_| ()), self.handle.as_deref()) {
            // Nothing comes any more; who reads is told that it ended without a word.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            filled => Poll::Ready(filled),
        }
    }

    fn io(&self) -> &IO {
        &self.stream.get_ref().0.io
    }

    fn io_mut(&mut self) -> &mut IO {
        &mut self.stream.get_mut().0.io
    }
}

impl<IO: AsyncIo> AsyncRead for AsyncTls<IO> {
    /// Gives what is there after one look, so that it is known what has arrived as data.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(sealed::AsyncTls::poll_ahead(&mut *self, cx))?;
        let mut stream = Pin::new(&mut self.stream);
        let data = ready!(stream.as_mut().poll_fill_buf(cx))?;
        let length = data.len().min(buf.remaining());
        buf.put_slice(&data[..length]);
        stream.consume(length);
        if let Some(handle) = &self.handle {
            handle.received_data();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncIo> AsyncWrite for AsyncTls<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A transport that tells a connection's handle how much arrives, so that a session can be weighed.
struct Counting<IO> {
    io: IO,
    handle: Option<Arc<Connection>>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Counting<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if let Some(handle) = &self.handle {
            handle.received(buf.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Counting<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
