//! SMTP with lettre over connections of ours, on either backend: STARTTLS, or TLS from the first
//! byte.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn send(mail: &[u8], envelope: &lettre::address::Envelope)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use lettre::transport::smtp::client::AsyncSmtpConnection;
//! use lettre::transport::smtp::extension::ClientId;
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//! use tokio::net::TcpStream;
//!
//! let connector = Connector::builder().build()?;
//! let me = ClientId::Domain("client.example.com".to_owned());
//! let tcp = TcpStream::connect(("mx.example.com", 25)).await?;
//! let stream = tls_resume::lettre::starttls(&connector, "mx.example.com", 25, &me, tcp).await?;
//! let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &me).await?;
//! smtp.send(envelope, mail).await?;
//! # Ok(())
//! # }
//! ```
//!
//! For TLS from the first byte (port 465), connect with [`generic::Connector::tokio`] and make an
//! [`SmtpStream`] of the connection: `SmtpStream::from(connector.tokio().connect(host, 465).await?)`.
//!
//! lettre's own transports, with their pools, make their connections themselves and cannot resume
//! with a store of anybody's.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::lettre::transport::smtp::client::AsyncTokioStream;
use ::lettre::transport::smtp::extension::ClientId;
use ::tokio::io::{
    self, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
};

use crate::starttls::{Smtp, SmtpError, Step};
use crate::tokio::{AsyncIo, Backend, Stream, in_time};
use crate::{Error, ErrorKind, generic, transport};

/// What lettre waits for on a new connection. The server has said it before TLS, when anybody could
/// have.
const GREETING: &[u8] = b"220 ready\r\n";

/// Asks a mail server for TLS and makes the handshake with it: `io` is the connection to it, on
/// which it has said nothing yet. `hello` is the name to introduce oneself by.
///
/// It is an error if the server does not offer STARTTLS, or says more before the handshake than it
/// was asked: nothing is ever sent in plain but EHLO. `host` is what is sent in SNI and what the
/// certificate must be for; with `port` it is the key of the sessions. The connector's timeout
/// bounds all of it.
pub async fn starttls<B, IO>(
    connector: &generic::Connector<B>,
    host: &str,
    port: u16,
    hello: &ClientId,
    io: IO,
) -> Result<SmtpStream<B, IO>, Error>
where
    B: Backend,
    IO: AsyncTokioStream,
{
    let (tls, timeout) = (connector.tokio(), connector.settings().timeout);
    let end = tls.end();
    let asking = async {
        let mut plain = Plain {
            host,
            io: BufReader::new(io),
        };
        let mut smtp = Smtp::new(hello.to_string());
        loop {
            let line = plain.line().await?;
            match smtp.receive(&line).map_err(|error| plain.rejected(error))? {
                Step::Read => {}
                Step::Send { text, .. } => plain.send(&text).await?,
                Step::StartTls => break,
            }
        }
        plain.silent()?;
        Ok(plain.io.into_inner())
    };
    let asked = in_time(Some(end), asking).await;
    let io = asked.unwrap_or_else(|_| Err(transport::no_answer(host, port, timeout)))?;
    let tls = tls.connect_stream_until(host, port, io, end).await?;
    let greeting = GREETING;
    Ok(SmtpStream { greeting, tls })
}

/// SMTP before TLS.
struct Plain<'h, IO> {
    host: &'h str,
    io: BufReader<IO>,
}

impl<IO: AsyncTokioStream> Plain<'_, IO> {
    async fn send(&mut self, command: &str) -> Result<(), Error> {
        self.silent()?;
        let written = async {
            self.io.write_all(command.as_bytes()).await?;
            self.io.flush().await
        };
        let written = written.await;
        written.map_err(|error| Error::of_transport(self.host, error))
    }

    /// Reads a line with its end.
    async fn line(&mut self) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let mut io = (&mut self.io).take(Smtp::MAX_LINE as u64 + 2);
        let read = io.read_until(b'\n', &mut line).await;
        read.map_err(|error| Error::of_transport(self.host, error))?;
        if line.ends_with(b"\n") {
            return Ok(line);
        }
        if io.limit() == 0 {
            return Err(self.rejected(SmtpError::TooLong));
        }
        let closed = io::ErrorKind::UnexpectedEof.into();
        Err(Error::of_transport(self.host, closed))
    }

    /// Whether nothing lies on the connection that would seem to be an answer to what is asked next, or
    /// to have come in TLS.
    fn silent(&self) -> Result<(), Error> {
        if self.io.buffer().is_empty() {
            return Ok(());
        }
        Err(self.rejected("says more than it was asked before TLS"))
    }

    fn rejected(&self, why: impl fmt::Display) -> Error {
        let message = format!("{}: the mail server {why}", self.host);
        Error::new(ErrorKind::Handshake, message)
    }
}

/// A connection for [`AsyncSmtpConnection::connect_with_transport`]. Made by [`starttls`], or of a
/// [`Stream`] to a server that speaks TLS from the first byte.
///
/// [`AsyncSmtpConnection::connect_with_transport`]:
/// ::lettre::transport::smtp::client::AsyncSmtpConnection::connect_with_transport
pub struct SmtpStream<B: Backend, IO: AsyncIo> {
    /// What is read before anything that comes over TLS.
    greeting: &'static [u8],
    tls: Stream<B, IO>,
}

impl<B: Backend, IO: AsyncIo> SmtpStream<B, IO> {
    /// The TLS connection: what is known of it.
    pub fn get_ref(&self) -> &Stream<B, IO> {
        &self.tls
    }
}

impl<B: Backend, IO: AsyncIo> From<Stream<B, IO>> for SmtpStream<B, IO> {
    fn from(tls: Stream<B, IO>) -> Self {
        Self { greeting: &[], tls }
    }
}

impl<B: Backend, IO: AsyncTokioStream> AsyncTokioStream for SmtpStream<B, IO>
where
    Self: Sync,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tls.get_ref().peer_addr()
    }
}

impl<B: Backend, IO: AsyncIo> AsyncRead for SmtpStream<B, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.tls).poll_read(cx, buf);
        }
        let (now, later) = self
            .greeting
            .split_at(self.greeting.len().min(buf.remaining()));
        buf.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl<B: Backend, IO: AsyncIo> AsyncWrite for SmtpStream<B, IO> {
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

impl<B: Backend, IO: AsyncIo> fmt::Debug for SmtpStream<B, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tls.fmt(f)
    }
}
