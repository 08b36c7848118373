//! A connection of lab's server as tasks read and write it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lab::server::{Handshake, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes for the client that may wait to be sent before no more are taken.
const ENOUGH: usize = 64 * 1024;

/// The server's end of a TLS connection over TCP.
pub(super) struct Wire<F> {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Data of the client that nobody has read yet.
    read: Vec<u8>,
    /// Bytes that are to be sent.
    unsent: Vec<u8>,
    /// Is told of the handshake.
    done: Option<F>,
}

impl<F: FnOnce(Handshake) + Unpin> Wire<F> {
    pub(super) fn new(tcp: TcpStream, tls: ServerConnection, done: F) -> Self {
        Self {
            tcp,
            tls: tls.without_echo(),
            read: Vec::new(),
            unsent: Vec::new(),
            done: Some(done),
        }
    }

    /// Sends what is to be sent.
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

    /// Takes what the client has sent; false at the end of it.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; 16 * 1024];
        let mut bytes = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut bytes))?;
        if bytes.filled().is_empty() {
            return Poll::Ready(Ok(false));
        }
        self.tls.receive(bytes.filled());
        self.read.append(&mut self.tls.received());
        if let Some(handshake) = self.tls.facts()
            && let Some(done) = self.done.take()
        {
            done(handshake);
        }
        Poll::Ready(Ok(true))
    }
}

impl<F: FnOnce(Handshake) + Unpin> AsyncRead for Wire<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            // What cannot be sent now is sent with what comes next, or when this is flushed.
            if let Poll::Ready(sent) = self.poll_send(cx) {
                sent?;
            }
            if let Some(why) = self.tls.failed() {
                return Poll::Ready(Err(io::Error::other(why.to_owned())));
            }
            if self.tls.client_closed() || !ready!(self.poll_receive(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..length]);
        self.read.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<F: FnOnce(Handshake) + Unpin> AsyncWrite for Wire<F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= ENOUGH {
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
