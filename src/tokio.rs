//! The same connectors for tasks of tokio, over tokio-rustls and tokio-openssl.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let connector = Connector::builder().build()?.tokio();
//! let mut stream = connector.connect("example.com", 443).await?;
//! stream.write_all(b"HEAD / HTTP/1.0\r\nHost: example.com\r\n\r\n").await?;
//! stream.flush().await?; // what is written may wait in the stream until then
//! stream.read_to_end(&mut Vec::new()).await?; // TLS 1.3 tickets come while reading
//! println!("{:?}", stream.resumption());
//! # Ok(())
//! # }
//! ```
//!
//! # Cancelling
//! A `connect` that is dropped before it is done costs no session but the one that it has offered,
//! if that may be used only once: a ticket that the TLS library was given, which sends it at once
//! unless the transport holds it up, is used up. It says nothing about the server, so all its other
//! sessions stay, the reusable one among them; nothing of the connection is stored, and it is counted
//! as [`cancelled`](crate::Stats::cancelled). While the name is looked up and TCP connects, no session
//! has been taken.
//!
//! A handshake that runs into the connector's own timeout has failed, as one of the blocking connector
//! has: then older sessions of the server go, so that what makes it hang is not offered again and
//! again. A time limit of one's own around [`Connector::connect_stream`] drops the future and keeps
//! them: where it is to count against the server, use [`Connector::connect_stream_until`].
//!
//! # What waits in its thread
//! Where sessions are kept beyond memory, dropping the last connector writes what is left, which takes
//! up to a second if the place is slow, and `flush`, `load` and `prefetch` of the
//! [blocking connector](Connector::blocking) wait as well: in a task, call them within tokio's
//! `spawn_blocking`. No connection waits in its thread.

mod stream;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, timeout, timeout_at};
use store_core::{SessionKey, net};

pub use self::stream::Stream;
use crate::backend::sealed;
use crate::connector::Host;
use crate::{Error, generic, transport};

/// A backend that tasks can drive: rustls 0.23 and OpenSSL.
#[diagnostic::on_unimplemented(
    message = "connections of `{Self}` cannot be driven by tasks of tokio",
    note = "use `tls_resume::rustls` or `tls_resume::openssl`"
)]
pub trait Backend: crate::Backend + sealed::AsyncBackend {}

/// What TLS is spoken over: anything to read from and write to that tasks can have.
pub trait AsyncIo: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> AsyncIo for IO {}

/// Makes TLS connections from tasks that resume earlier ones.
///
/// Made by [`generic::Connector::tokio`], with which it shares everything: sessions of the one are
/// resumed by the other. Cheap to clone.
pub struct Connector<B: Backend> {
    blocking: generic::Connector<B>,
}

impl<B: Backend> generic::Connector<B> {
    /// This connector for tasks of tokio.
    pub fn tokio(&self) -> Connector<B> {
        Connector {
            blocking: self.clone(),
        }
    }
}

impl<B: Backend> Connector<B> {
    /// Connects to `host`, a DNS name or IP address, over TCP, and makes the handshake.
    ///
    /// Tries the host's addresses in turn, each for its share of the time that is left. The connector's
    /// timeout bounds the whole. See
    /// [the module](self) for what becomes of sessions when the future is dropped.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream<B, TcpStream>, Error> {
        let connected = self.over_tcp(host, port, &[]).await;
        connected.map(|(stream, _)| stream)
    }

    /// Connects as [`connect`](Self::connect) does, and sends the beginning of `data` with the first
    /// message of the handshake, as early data (0-RTT); says how many leading bytes of it the server
    /// has accepted, and the rest is still to be written. It is what the blocking connector's
    /// [`connect_early`](generic::Connector::connect_early) is: read there
    /// [when it is safe](generic::Connector::connect_early).
    ///
    /// Dropping the future does not say that the server has not acted on `data`.
    pub async fn connect_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        self.over_tcp(host, port, self.blocking.early(data)).await
    }

    async fn over_tcp(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        let end = self.end();
        let name = Host::parse(host)?;
        let key = self.blocking.resumable(&name, port);
        #[cfg(feature = "shared")]
        let on_its_way = self.blocking.fetch(key.as_ref());
        let tcp = self.tcp(&name.text, port, end).await?;
        #[cfg(feature = "shared")]
        self.arrived(on_its_way).await;
        if Instant::now() >= end {
            // Busy with something else, perhaps: no fault of the server's, nor of a session.
            return Err(transport::no_answer(host, port, self.timeout()));
        }
        self.handshake(&name, key, early, tcp, Some(end)).await
    }

    /// Makes the handshake with `host` over a transport that is connected already; how long it may
    /// take is the caller's. `host` is what is sent in SNI and what the certificate must be for;
    /// with `port` it is the key of the sessions.
    pub async fn connect_stream<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over(host, port, &[], io, None).await;
        connected.map(|(stream, _)| stream)
    }

    /// Makes the handshake over a transport as [`connect_stream`](Self::connect_stream) does, with
    /// early data as in [`connect_early`](Self::connect_early).
    pub async fn connect_stream_early<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        data: &[u8],
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let early = self.blocking.early(data);
        self.over(host, port, early, io, None).await
    }

    /// The same as [`connect_stream`](Self::connect_stream) until `end`: a handshake that is not done by
    /// then has failed ([`ErrorKind::Timeout`](crate::ErrorKind::Timeout)), and is not one that was
    /// given up.
    pub async fn connect_stream_until<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        end: Instant,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over(host, port, &[], io, Some(end)).await;
        connected.map(|(stream, _)| stream)
    }

    async fn over<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
        end: Option<Instant>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let name = Host::parse(host)?;
        let key = self.blocking.resumable(&name, port);
        #[cfg(feature = "shared")]
        self.arrived(self.blocking.fetch(key.as_ref())).await;
        self.handshake(&name, key, early, io, end).await
    }

    /// The blocking connector: its counters, and what it can be told.
    pub fn blocking(&self) -> &generic::Connector<B> {
        &self.blocking
    }

    async fn handshake<IO: AsyncIo>(
        &self,
        host: &Host,
        key: Option<SessionKey>,
        early: &[u8],
        io: IO,
        end: Option<Instant>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let handshake = self.blocking.backend();
        let handshake = handshake.handshake_async(&host.text, key, early, io, end);
        let (tls, accepted) = handshake.await?;
        Ok((Stream::new(tls), accepted))
    }

    #[cfg(feature = "shared")]
    async fn arrived(&self, on_its_way: Option<store_tiers::Fetch>) {
        if let Some(fetch) = on_its_way {
            fetch.wait_async(self.blocking.settings().patience()).await;
        }
    }

    pub(crate) fn end(&self) -> Instant {
        after(self.timeout())
    }

    fn timeout(&self) -> Duration {
        self.blocking.settings().timeout
    }

    /// Connects to the first address of `host` that answers.
    pub(crate) async fn tcp(
        &self,
        host: &str,
        port: u16,
        end: Instant,
    ) -> Result<TcpStream, Error> {
        let timeout = self.timeout();
        let too_late = |_| transport::no_answer(host, port, timeout);
        let found = timeout_at(end, lookup_host((host, port))).await;
        let addresses = found
            .map_err(too_late)?
            .map_err(|error| transport::no_address(host, error))?;
        match first_of(&addresses.collect::<Vec<_>>(), end).await {
            Ok(tcp) => match tcp.set_nodelay(true) {
                Ok(()) => Ok(tcp),
                Err(error) => Err(Error::of_transport(host, error)),
            },
            Err(error) => Err(transport::unreached(host, port, timeout, error)),
        }
    }
}

/// The moment when `timeout` is over, by tokio's clock; one that is too long for it is a century.
fn after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout)
        .unwrap_or_else(|| now + net::LONGEST_TIMEOUT)
}

/// Connects to the first of the addresses that answers, each of which has its share of the time.
async fn first_of(addresses: &[SocketAddr], end: Instant) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::TimedOut.into();
    let remaining = || end.saturating_duration_since(Instant::now());
    for (address, share) in net::share(addresses, remaining) {
        let connecting = timeout(share, TcpStream::connect(address)).await;
        match connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Waits until `end`, if there is one: [`io::ErrorKind::TimedOut`] after it.
#[cfg(any(feature = "rustls", feature = "openssl", feature = "lettre"))]
pub(crate) async fn in_time<T>(
    end: Option<Instant>,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    match end {
        Some(end) => timeout_at(end, work)
            .await
            .map_err(|_| io::ErrorKind::TimedOut.into()),
        None => Ok(work.await),
    }
}

impl<B: Backend> Clone for Connector<B> {
    fn clone(&self) -> Self {
        self.blocking.tokio()
    }
}

impl<B: Backend> fmt::Debug for Connector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.blocking.fmt(f)
    }
}
