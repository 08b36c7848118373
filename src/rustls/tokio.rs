//! Connections of rustls for tasks of tokio.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::rustls::ClientConnection;
use ::tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use backend_rustls::tokio_rustls::TlsConnector;
use backend_rustls::tokio_rustls::client::TlsStream;
use backend_rustls::{Connection, PooledConnection};

use super::details::RustlsDetails;
use super::failure::handshake_error;
use super::{Rustls, accepted, report_alert, report_failure, send_early};
use crate::Error;
use crate::backend::AsyncBackend;
use crate::backend::sealed::{self, Attempt};
use crate::connection_info::{self, Details};
use crate::deadline::in_time;
use crate::error::TlsEvidence;
use crate::first_bytes::FirstBytes;
use crate::host::Host;
use crate::tokio::Stream;
use crate::transport::AsyncIo;

impl AsyncBackend for Rustls {}

impl<IO: AsyncIo> Stream<Rustls, IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &ClientConnection {
        self.tls.stream.get_ref().1
    }
}

impl sealed::AsyncBackend for Rustls {
    type AsyncTls<IO: AsyncIo> = AsyncTls<IO>;

    async fn handshake_async<IO: AsyncIo>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: IO,
        deadline: impl Future<Output = ()> + Send,
    ) -> Result<(AsyncTls<IO>, usize), Error> {
        let early = attempt.early;
        let handle = self.begin(&attempt);
        let config = self.config(handle.as_ref());
        let shared = handle.as_ref().map(PooledConnection::handle);
        let cancel = CancelOnDrop(shared.cloned());
        let io = Counting {
            io,
            received: FirstBytes::default(),
            handle: shared.cloned(),
        };
        let mut sent = 0;
        let begin = |connection: &mut ClientConnection| sent = send_early(connection, early);
        let name = host.server_name().clone();
        let connecting = TlsConnector::from(config).connect_with(name, io, begin);
        let connected = in_time(deadline, connecting.into_fallible()).await;
        cancel.disarm();
        let failed = |error, received: FirstBytes| {
            let offered = handle.as_ref().is_some_and(|handle| handle.offered());
            let evidence = TlsEvidence::new(received.are_tls(), offered);
            let error = handshake_error(host.as_str(), evidence, error);
            report_failure(&error, handle.as_deref());
            error.with_offered(offered)
        };
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, io))) => return Err(failed(error, io.received)),
            Err(timed_out) => return Err(failed(timed_out, FirstBytes::default())),
        };
        self.settle(stream.get_ref().1, handle.as_deref());
        let accepted = accepted(stream.get_ref().1, sent);
        let tls = AsyncTls { stream, handle };
        Ok((tls, accepted))
    }
}

/// Cancels the handle of a handshake whose future is dropped.
struct CancelOnDrop(Option<Arc<Connection>>);

impl CancelOnDrop {
    /// The handshake has ended.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
    }
}

/// A connection of rustls whose handshake is done, with its transport.
pub struct AsyncTls<IO> {
    stream: TlsStream<Counting<IO>>,
    // Dropped after the connection that uses it.
    handle: Option<PooledConnection>,
}

impl<IO> fmt::Debug for AsyncTls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTls").finish_non_exhaustive()
    }
}

impl<IO> connection_info::Connection for AsyncTls<IO> {
    fn details(&self) -> impl Details {
        RustlsDetails {
            connection: self.stream.get_ref().1,
            handle: self.handle.as_deref(),
        }
    }
}

impl<IO: AsyncIo> sealed::AsyncTls<IO> for AsyncTls<IO> {
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let filled = Pin::new(&mut self.stream).poll_fill_buf(cx);
        match report_alert(ready!(filled).map(|_| ()), self.handle.as_deref()) {
            // The connection has ended. The next read fails, since there was no close_notify.
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
    /// Returns data after one read of the transport, so that the handle can distinguish the bytes
    /// of data from those of sessions.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(sealed::AsyncTls::poll_read_ahead(&mut *self, cx))?;
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
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        if let (Poll::Ready(Ok(())), Some(handle)) = (&shut, &self.handle) {
            handle.closed();
        }
        shut
    }
}

/// A transport that reports to the handle how many bytes arrive: a session has no more bytes.
struct Counting<IO> {
    io: IO,
    received: FirstBytes,
    handle: Option<Arc<Connection>>,
}

impl<IO> Counting<IO> {
    fn sent(&self) {
        if let Some(handle) = &self.handle {
            handle.sent();
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Counting<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let received = &buf.filled()[before..];
        self.received.add(received);
        if let Some(handle) = &self.handle {
            handle.received(received.len());
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
        self.sent();
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.sent();
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
