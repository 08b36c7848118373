//! A connection of lab's server as an asynchronous stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lab::server::{Handshake, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Unsent bytes at which writes wait.
const MAX_UNSENT: usize = 64 * 1024;

/// The server's end of a TLS connection over TCP.
pub(super) struct ServerStream<F> {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Decrypted data to read.
    received: Vec<u8>,
    /// Encrypted data to send.
    unsent: Vec<u8>,
    /// Called when the handshake is complete.
    on_handshake: Option<F>,
}

impl<F: FnOnce(Handshake) + Unpin> ServerStream<F> {
    pub(super) fn new(tcp: TcpStream, tls: ServerConnection, on_handshake: F) -> Self {
        Self {
            tcp,
            tls: tls.without_echo(),
            received: Vec::new(),
            unsent: Vec::new(),
            on_handshake: Some(on_handshake),
        }
    }

    /// Sends the pending data.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.send(&mut self.unsent);
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Receives data; false at the end of the stream.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; 16 * 1024];
        let mut bytes = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut bytes))?;
        if bytes.filled().is_empty() {
            return Poll::Ready(Ok(false));
        }
        self.tls.receive(bytes.filled());
        self.received.append(&mut self.tls.received());
        if let Some(handshake) = self.tls.facts()
            && let Some(on_handshake) = self.on_handshake.take()
        {
            on_handshake(handshake);
        }
        Poll::Ready(Ok(true))
    }
}

impl<F: FnOnce(Handshake) + Unpin> AsyncRead for ServerStream<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.received.is_empty() {
            // Data that cannot be sent now is sent with the next write or flush.
            if let Poll::Ready(sent) = self.poll_send(cx) {
                sent?;
            }
            if let Some(error) = self.tls.failed() {
                return Poll::Ready(Err(io::Error::other(error.to_owned())));
            }
            if self.tls.client_closed() || !ready!(self.poll_receive(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.received.len().min(buf.remaining());
        buf.put_slice(&self.received[..length]);
        self.received.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<F: FnOnce(Handshake) + Unpin> AsyncWrite for ServerStream<F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= MAX_UNSENT {
            ready!(self.poll_send(cx))?;
        }
        self.tls.write(buf);
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.close();
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
