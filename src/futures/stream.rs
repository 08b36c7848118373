//! The stream of futures-io.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::{AsyncIo, Sleep};
use crate::backend::AsyncBackend;
use crate::connection_info::ConnectionInfo;
use crate::connector::Kin;
use crate::tokio;

/// A TLS connection over `IO`, to read from and write to. Dereferences to [`ConnectionInfo`].
///
/// Sessions that the server sends are stored automatically. TLS 1.3 servers send them after
/// the handshake, and they arrive while the application reads: a connection that never reads stores
/// none, unless it [waits for them](Self::wait_for_tickets).
///
/// The stream may buffer what is written: flush it before reading the answer. Closing it
/// ([`AsyncWrite::poll_close`]) sends `close_notify`: the client will send nothing more. It also reads
/// what has arrived, without waiting, up to the first application data, since a TCP connection that is
/// dropped with unread bytes, such as tickets, is reset.
pub struct Stream<B: AsyncBackend, IO: AsyncIo> {
    tls: Compat<tokio::Stream<B, Compat<IO>>>,
    sleep: Sleep,
}

impl<B: AsyncBackend, IO: AsyncIo> Stream<B, IO> {
    pub(super) fn new(tls: tokio::Stream<B, Compat<IO>>, sleep: Sleep) -> Self {
        let tls = tls.compat();
        Self { tls, sleep }
    }

    pub(super) fn kept(&self) -> Option<&Arc<Kin<B>>> {
        self.tls.get_ref().kept()
    }

    /// Reads until the server's sessions have arrived, for `timeout` at most, and returns how many
    /// this connection has received so far, as
    /// [the stream for tokio does](crate::tokio::Stream::wait_for_tickets). Application data that
    /// arrives meanwhile is kept for reading. Dropping the future loses nothing.
    pub async fn wait_for_tickets(&mut self, timeout: Duration) -> io::Result<usize> {
        let Self { tls, sleep } = self;
        tls.get_mut().wait_by(timeout, &**sleep).await
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.tls.get_ref().get_ref().get_ref()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.tls.get_mut().get_mut().get_mut()
    }
}

#[cfg(feature = "rustls")]
impl<IO: AsyncIo> Stream<crate::rustls::Rustls, IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &::rustls::ClientConnection {
        self.tls.get_ref().connection()
    }
}

#[cfg(feature = "rustls-preview")]
impl<IO: AsyncIo> Stream<crate::rustls_preview::RustlsPreview, IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &::rustls_next::ClientConnection {
        self.tls.get_ref().connection()
    }
}

#[cfg(feature = "openssl")]
impl<IO: AsyncIo> Stream<crate::openssl::OpenSsl, IO> {
    /// The `SSL` object, for its own methods.
    pub fn ssl(&self) -> &::openssl::ssl::SslRef {
        self.tls.get_ref().ssl()
    }
}

impl<B: AsyncBackend, IO: AsyncIo> Deref for Stream<B, IO> {
    type Target = ConnectionInfo<B::AsyncTls<Compat<IO>>>;

    fn deref(&self) -> &Self::Target {
        self.tls.get_ref()
    }
}

impl<B: AsyncBackend, IO: AsyncIo> AsyncRead for Stream<B, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl<B: AsyncBackend, IO: AsyncIo> AsyncWrite for Stream<B, IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_close(cx)
    }
}

impl<B: AsyncBackend, IO: AsyncIo> fmt::Debug for Stream<B, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tls.get_ref().fmt(f)
    }
}
