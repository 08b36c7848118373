//! An adapter for lettre's SMTP: STARTTLS, or TLS from the first byte.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn send(mail: &[u8], envelope: &lettre::address::Envelope)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use lettre::transport::smtp::client::AsyncSmtpConnection;
//! use lettre::transport::smtp::extension::ClientId;
//! use tls_resume::lettre::connect_starttls;
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//!
//! let connector = Connector::builder().build()?;
//! let me = ClientId::Domain("client.example.com".to_owned());
//! let stream = connect_starttls(&connector, "mx.example.com", 25, &me).await?;
//! let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &me).await?;
//! smtp.send(envelope, mail).await?;
//! # Ok(())
//! # }
//! ```
//!
//! For TLS from the first byte (port 465), connect with [`generic::Connector::tokio`] and convert the
//! stream: `SmtpStream::from(connector.tokio().connect(host, 465).await?)`. For STARTTLS over a
//! transport of your own, such as a proxy's tunnel, use [`starttls`].
//!
//! lettre's own transports and pools make their connections themselves and accept no session store.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::lettre::transport::smtp::client::AsyncTokioStream;
use ::lettre::transport::smtp::extension::ClientId;
use ::tokio::io::{
    self, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
};
use ::tokio::net::TcpStream;

use crate::deadline::{at, in_time};
use crate::error::TlsEvidence;
use crate::starttls::{Smtp, SmtpError, Step};
use crate::tokio::{AsyncIo, Backend, Stream};
use crate::{Error, ErrorKind, generic, transport};

/// The greeting that lettre expects on a new connection. The server's own greeting is not passed
/// on: it came before TLS, where an attacker could have changed it.
const GREETING: &[u8] = b"220 ready\r\n";

/// Connects to a mail server over TCP, sends EHLO and STARTTLS (RFC 3207), and makes the handshake.
/// `hello` is the client's name for EHLO.
///
/// Tries the host's addresses in turn, each for its share of the time that is left. The connector's
/// timeout bounds all of it. If the handshake fails with a session offered, all of this is done once
/// more, without a session, on a new connection to the same address, unless
/// [`retry_failed_resumption`](generic::ConnectorBuilder::retry_failed_resumption) is off.
///
/// Fails as [`starttls`] does, and if no address accepts a connection.
pub async fn connect_starttls<B: Backend>(
    connector: &generic::Connector<B>,
    host: &str,
    port: u16,
    hello: &ClientId,
) -> Result<SmtpStream<B, TcpStream>, Error> {
    let tls = connector.tokio();
    let prepare = |tcp| start_tls(host, hello, tcp);
    let (tls, _) = tls.over_prepared_tcp(host, port, &[], prepare).await?;
    let greeting = GREETING;
    Ok(SmtpStream { greeting, tls })
}

/// Sends EHLO and STARTTLS to a mail server (RFC 3207), and makes the handshake. `io` is a new
/// connection to it, from which nothing was read; `hello` is the client's name for EHLO.
///
/// For a transport that [`connect_starttls`] cannot make. A handshake that fails with a session
/// offered is not made again: the next connection offers none.
///
/// An error if the server does not offer STARTTLS, or sends more than the replies before the
/// handshake. Nothing else is sent without TLS. `host` is sent in SNI unless it is an IP address,
/// and the certificate must be for it; sessions are stored under `host` and `port`. The connector's
/// timeout bounds all of it.
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
    let deadline = tls.deadline();
    let starting = start_tls(host, hello, io);
    let started = in_time(at(Some(deadline)), starting).await;
    let io = started.unwrap_or_else(|_| Err(transport::no_answer(host, port, timeout)))?;
    let tls = tls.connect_stream_until(host, port, io, deadline).await?;
    let greeting = GREETING;
    Ok(SmtpStream { greeting, tls })
}

/// Sends EHLO and STARTTLS; returns the transport for the handshake.
async fn start_tls<IO: AsyncTokioStream>(
    host: &str,
    hello: &ClientId,
    io: IO,
) -> Result<IO, Error> {
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
    plain.expect_nothing_buffered()?;
    Ok(plain.io.into_inner())
}

/// SMTP before TLS.
struct Plain<'h, IO> {
    host: &'h str,
    io: BufReader<IO>,
}

impl<IO: AsyncTokioStream> Plain<'_, IO> {
    async fn send(&mut self, command: &str) -> Result<(), Error> {
        self.expect_nothing_buffered()?;
        let written = async {
            self.io.write_all(command.as_bytes()).await?;
            self.io.flush().await
        };
        let written = written.await;
        written.map_err(|error| Error::of_transport(self.host, TlsEvidence::None, error))
    }

    /// Reads a line with its end.
    async fn line(&mut self) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let mut io = (&mut self.io).take(Smtp::MAX_LINE as u64 + 2);
        let read = io.read_until(b'\n', &mut line).await;
        read.map_err(|error| Error::of_transport(self.host, TlsEvidence::None, error))?;
        if line.ends_with(b"\n") {
            return Ok(line);
        }
        if io.limit() == 0 {
            return Err(self.rejected(SmtpError::TooLong));
        }
        let closed = io::ErrorKind::UnexpectedEof.into();
        Err(Error::of_transport(self.host, TlsEvidence::None, closed))
    }

    /// An error if the server sent more than the reply: the rest could be taken for the reply to
    /// the next command, or for data received over TLS.
    fn expect_nothing_buffered(&self) -> Result<(), Error> {
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

/// A connection for [`AsyncSmtpConnection::connect_with_transport`]. Made by [`connect_starttls`] and
/// [`starttls`], or from a [`Stream`] to a server that speaks TLS from the first byte.
///
/// [`AsyncSmtpConnection::connect_with_transport`]:
/// ::lettre::transport::smtp::client::AsyncSmtpConnection::connect_with_transport
pub struct SmtpStream<B: Backend, IO: AsyncIo> {
    /// Bytes to read before those received over TLS.
    greeting: &'static [u8],
    tls: Stream<B, IO>,
}

impl<B: Backend, IO: AsyncIo> SmtpStream<B, IO> {
    /// The TLS stream.
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
