//! A stream over an established connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use s2n_tls::connection::Connection;
use s2n_tls_tokio::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::handle::Handle;
use crate::prepared::PreparedConnection;
use crate::received::ReceivedSessions;

/// The alert that closes a connection without an error (RFC 8446, section 6.1).
const CLOSE_NOTIFY: u8 = 0;

/// A connection after its handshake. Sessions received while it is read are stored.
pub struct Stream<IO: AsyncRead + AsyncWrite + Unpin> {
    tls: TlsStream<IO, PreparedConnection>,
    /// `None`: the server is never resumed.
    handle: Option<Arc<Handle>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream<IO> {
    pub(crate) fn new(tls: TlsStream<IO, PreparedConnection>, handle: Option<Arc<Handle>>) -> Self {
        Self { tls, handle }
    }

    /// Whether a session was offered.
    pub fn offered(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| handle.offered())
    }

    /// Whether the session was resumed, as s2n-tls reports it.
    pub fn resumed(&self) -> bool {
        self.connection().resumed()
    }

    /// Sessions received so far: TLS 1.3 tickets, or the session of a TLS 1.2 handshake.
    pub fn tickets(&self) -> usize {
        self.received().map_or(0, ReceivedSessions::count)
    }

    /// The lifetime that the server gave the session received last; `None` if it gave none.
    pub fn lifetime(&self) -> Option<Duration> {
        self.received()?.last_lifetime()
    }

    /// Revokes the sessions that this connection stored, and the reusable session that it offered.
    /// Sessions received later are not stored.
    ///
    /// For an application whose own check of the peer fails after the handshake. Copies that other
    /// connections already hold stay valid.
    pub fn forget(&self) {
        if let Some(handle) = &self.handle {
            handle.forget();
        }
    }

    /// The connection of s2n-tls.
    pub fn connection(&self) -> &Connection {
        self.tls.as_ref()
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.tls.get_ref()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.tls.get_mut()
    }

    fn received(&self) -> Option<&ReceivedSessions> {
        self.connection().application_context::<ReceivedSessions>()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.tls).poll_read(cx, buf);
        if let Some(handle) = &this.handle {
            if buf.filled().len() > before {
                handle.received_data();
            }
            handle.store_received(this.tls.as_mut());
            let failed = matches!(read, Poll::Ready(Err(_)));
            let alert = this.tls.as_ref().alert();
            if failed && alert.is_some_and(|alert| alert != CLOSE_NOTIFY) {
                handle.alert_received();
            }
        }
        read
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<IO> {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> fmt::Debug for Stream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("offered", &self.offered())
            .field("resumed", &self.resumed())
            .finish_non_exhaustive()
    }
}
