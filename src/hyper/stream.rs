//! The stream for hyper's client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use hyper_util::client::legacy::connect::{Connected, Connection};

use crate::tokio::{AsyncIo, Backend, Stream};

/// A connection to an `https://` server, or to an `http://` one.
#[derive(Debug)]
pub enum MaybeHttpsStream<B: Backend> {
    /// With TLS.
    Tls(Stream<B, TcpStream>),
    /// Without TLS.
    Plain(TcpStream),
}

/// Reports to hyper-util's client whether the server chose HTTP/2, and adds the handshake's
/// [`Protocol`](crate::Protocol) and [`Resumption`](crate::Resumption) to the extensions of each
/// response.
impl<B: Backend, IO: AsyncIo + Connection> Connection for Stream<B, IO> {
    fn connected(&self) -> Connected {
        let connected = self
            .get_ref()
            .connected()
            .extra(self.protocol())
            .extra(self.resumption());
        if self.alpn().as_deref() == Some(b"h2") {
            return connected.negotiated_h2();
        }
        connected
    }
}

impl<B: Backend> Connection for MaybeHttpsStream<B> {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(tls) => tls.connected(),
            Self::Plain(tcp) => tcp.connected(),
        }
    }
}

impl<B: Backend> AsyncRead for MaybeHttpsStream<B> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
        }
    }
}

impl<B: Backend> AsyncWrite for MaybeHttpsStream<B> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Plain(tcp) => tcp.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
        }
    }
}
