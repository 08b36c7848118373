//! Connectors for tasks of tokio, over tokio-rustls and tokio-openssl.
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
//! stream.flush().await?; // the stream may buffer what is written
//! stream.read_to_end(&mut Vec::new()).await?; // TLS 1.3 tickets come while reading
//! println!("{:?}", stream.resumption());
//! # Ok(())
//! # }
//! ```
//!
//! # Cancelling
//! Dropping the future of a `connect` uses up the ticket that it offered, if any: the TLS library
//! sends it at once unless the transport is not ready. A cancelled handshake is no sign of a bad
//! session, so all others stay in the store, a TLS 1.2 session among them. The connection stores
//! nothing. If it offered a session, it is counted as [`cancelled`](crate::Stats::cancelled). No
//! session is taken before the name is resolved and TCP is connected.
//!
//! A handshake that exceeds the connector's own timeout has failed, as with the blocking connector:
//! the session that it offered is removed, the others stay, and the next connection to the server
//! offers nothing. A timeout that the caller sets around
//! [`Connector::connect_stream`] drops the future and so cancels: for a timeout that counts as a
//! failed handshake, use [`Connector::connect_stream_until`].
//!
//! # Blocking calls
//! Connections do not block their thread. With a tier, dropping the last connector writes the sessions
//! that are still in memory, and blocks meanwhile, for a second at most: await its `flush`
//! before. A tier that hangs is not waited for.

mod stream;
#[cfg(feature = "shared")]
mod tier;

use std::fmt;
use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, sleep, timeout};
use store_core::net;

pub use self::stream::Stream;
pub use crate::backend::AsyncBackend as Backend;
use crate::backend::sealed::Attempt;
use crate::connector::Kin;
use crate::deadline::{after, at, in_time};
use crate::host::Host;
pub use crate::transport::AsyncIo;
use crate::{ConnectOptions, Error, generic, transport};

/// Makes TLS connections for tasks of tokio that resume earlier sessions with the same server where
/// they can.
///
/// Made by [`generic::Connector::tokio`], and shares the configuration and the store of that
/// connector. Cheap to clone.
pub struct Connector<B: Backend> {
    blocking: generic::Connector<B>,
}

impl<B: Backend> generic::Connector<B> {
    /// The same connector for tasks of tokio, with the same store.
    pub fn tokio(&self) -> Connector<B> {
        Connector {
            blocking: self.clone(),
        }
    }
}

impl<B: Backend> Connector<B> {
    /// Connects to `host`, a DNS name or IP address, over TCP, and makes the handshake.
    ///
    /// Tries the host's addresses in turn, each for its share of the time that is left. The
    /// connector's timeout bounds all of it. [The module](self#cancelling) says what happens to
    /// sessions when the future is dropped.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream<B, TcpStream>, Error> {
        let connected = self.over_tcp(host, port, &[]).await;
        connected.map(|(stream, _)| stream)
    }

    /// Connects as [`connect`](Self::connect) does, and sends the beginning of `data` with the first
    /// message of the handshake, as early data (0-RTT). Returns with the stream how many leading
    /// bytes of it the server accepted; the rest is still to be written.
    ///
    /// Read first [when it is safe](generic::Connector::connect_early), at the blocking connector's
    /// method of this name. If the future is dropped, the server
    /// may have processed `data` all the same.
    pub async fn connect_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        let early = self.blocking.allowed_early_data(data);
        self.over_tcp(host, port, early).await
    }

    async fn over_tcp(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        let prepare = |tcp| ready(Ok(tcp));
        self.over_prepared_tcp(host, port, early, prepare).await
    }

    /// Connects to `host` over TCP, has `prepare` do what comes before TLS, such as STARTTLS, and
    /// makes the handshake, all within the connector's timeout.
    ///
    /// If the handshake fails and may succeed without the session that it offered, all of this is
    /// done once more, without one, on a new connection to the same address. If that connection
    /// cannot be made or prepared, the first error is returned.
    pub(crate) async fn over_prepared_tcp<IO, F>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        prepare: impl Fn(TcpStream) -> F,
    ) -> Result<(Stream<B, IO>, usize), Error>
    where
        IO: AsyncIo,
        F: Future<Output = Result<IO, Error>>,
    {
        let deadline = self.deadline();
        let host = Host::parse(host)?;
        let first = async {
            let tcp = self.tcp(&host, port, deadline).await?;
            let address = tcp.peer_addr().ok();
            let io = in_time(at(Some(deadline)), prepare(tcp)).await;
            let no_answer = |_| Err(transport::no_answer(host.as_str(), port, self.timeout()));
            let io = io.unwrap_or_else(no_answer)?;
            Ok((io, address.map(|address| address.ip()), address))
        };
        let again = async |address: Option<SocketAddr>| {
            let tcp = first_of(&[address?], deadline).await;
            prepare(tcp.ok()?).await.ok()
        };
        self.over_made(&host, port, early, deadline, first, again)
            .await
    }

    /// Makes the handshake over the connection that `first` makes, with its address, if it is known, and
    /// what `again` needs to make another to the same server, in time for `deadline`.
    ///
    /// If the handshake fails and may succeed without the session that it offered, it is made once
    /// more, without one, over the connection that `again` makes. If that makes none, the first error
    /// is returned.
    pub(crate) async fn over_made<IO: AsyncIo, A>(
        &self,
        host: &Host,
        port: u16,
        early: &[u8],
        deadline: Instant,
        first: impl Future<Output = Result<(IO, Option<IpAddr>, A), Error>>,
        again: impl AsyncFnOnce(A) -> Option<IO>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let beginning = self.blocking.begin(host, port);
        #[cfg(feature = "shared")]
        let fetch = self.blocking.fetch(beginning.key.as_ref());
        let (io, address, made) = first.await?;
        #[cfg(feature = "shared")]
        self.wait_for(fetch, sleep).await;
        if Instant::now() >= deadline {
            // Other tasks may have kept the thread busy. A handshake would only use up a session.
            return Err(transport::no_answer(host.as_str(), port, self.timeout()));
        }
        let backend = &beginning.configured.backend;
        let attempt = Attempt::new(beginning.key, self.blocking.address(address), early);
        let first = backend.handshake_async(host, attempt.clone(), io, at(Some(deadline)));
        let error = match first.await {
            // After the deadline, a future that is ready at once would still be done.
            Err(error) if self.blocking.retries(&error, &attempt) && Instant::now() < deadline => {
                error
            }
            done => return done.map(|done| self.connected(done, beginning.kept, false)),
        };
        let Ok(Some(io)) = in_time(at(Some(deadline)), again(made)).await else {
            return Err(error);
        };
        let attempt = self.blocking.second(attempt);
        let second = backend.handshake_async(host, attempt, io, at(Some(deadline)));
        let done = second.await.map_err(Error::after_retry)?;
        Ok(self.connected(done, beginning.kept, true))
    }

    /// The stream of a handshake that succeeded.
    fn connected<IO: AsyncIo>(
        &self,
        (tls, accepted): (B::AsyncTls<IO>, usize),
        kept: Option<Arc<Kin<B>>>,
        retried: bool,
    ) -> (Stream<B, IO>, usize) {
        let stream = Stream::new(tls, kept, retried);
        self.blocking.keep_kin_alone(&stream);
        (stream, accepted)
    }

    /// Makes the handshake with `host` over a transport that is already connected, without a
    /// timeout. `host` is sent in SNI unless it is an IP address, and the certificate must be for
    /// it; sessions are stored under `host` and `port`.
    ///
    /// A failed handshake drops the transport, and so closes the connection. To keep it, pass
    /// `&mut` of it.
    pub async fn connect_stream<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over_stream(host, port, &[], io, None).await;
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
        let early = self.blocking.allowed_early_data(data);
        self.over_stream(host, port, early, io, None).await
    }

    /// Makes the handshake as [`connect_stream`](Self::connect_stream) does, until `deadline`: then it
    /// fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), which counts as a failed
    /// handshake and not as a cancelled one.
    pub async fn connect_stream_until<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        deadline: Instant,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over_stream(host, port, &[], io, Some(deadline)).await;
        connected.map(|(stream, _)| stream)
    }

    async fn over_stream<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
        deadline: Option<Instant>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let connecting = self.over(host, port, early, io, at(deadline), sleep);
        connecting.await
    }

    /// Makes the handshake over a transport, in time for `deadline`; waits for a tier by the timers
    /// that `sleep` makes.
    pub(crate) async fn over<IO: AsyncIo, T: Future<Output = ()>>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
        deadline: impl Future<Output = ()> + Send,
        sleep: impl FnOnce(Duration) -> T,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let host = Host::parse(host)?;
        let beginning = self.blocking.begin(&host, port);
        #[cfg(feature = "shared")]
        self.wait_for(self.blocking.fetch(beginning.key.as_ref()), sleep)
            .await;
        #[cfg(not(feature = "shared"))]
        let _ = sleep;
        let backend = &beginning.configured.backend;
        let attempt = Attempt::new(beginning.key, self.blocking.address(None), early);
        let done = backend.handshake_async(&host, attempt, io, deadline);
        Ok(self.connected(done.await?, beginning.kept, false))
    }

    /// Connects as [`connect`](Self::connect) does, with these options.
    pub async fn connect_with(
        &self,
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<Stream<B, TcpStream>, Error> {
        self.with_options(options).connect(host, port).await
    }

    /// Makes the handshake over a transport as [`connect_stream`](Self::connect_stream) does, with
    /// these options.
    pub async fn connect_stream_with<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        options: &ConnectOptions,
    ) -> Result<Stream<B, IO>, Error> {
        let connector = self.with_options(options);
        connector.connect_stream(host, port, io).await
    }

    /// A handle of the same connector whose connections have these options, as
    /// [the blocking connector's](generic::Connector::with_options).
    #[must_use]
    pub fn with_options(&self, options: &ConnectOptions) -> Self {
        self.blocking.with_options(options).tokio()
    }

    /// A handle of the same connector whose connections resume the session of `connection`, and no
    /// other, as [the blocking connector's](generic::Connector::resuming).
    pub fn resuming<IO: AsyncIo>(&self, connection: &Stream<B, IO>) -> Result<Self, Error> {
        let handle = self.blocking.resuming_kept(connection.kept())?;
        Ok(handle.tokio())
    }

    /// Makes the handshake over a transport that is already connected, with the host of `connection`,
    /// whose session it resumes: [`resuming`](Self::resuming) for one connection, such as a data
    /// connection of FTPS.
    pub async fn connect_stream_resuming<Of: AsyncIo, IO: AsyncIo>(
        &self,
        connection: &Stream<B, Of>,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let (handle, host, port) = self.blocking.resuming_server(connection.kept())?;
        handle.tokio().connect_stream(host, port, io).await
    }

    /// The blocking connector, with the statistics and the other methods.
    pub fn blocking(&self) -> &generic::Connector<B> {
        &self.blocking
    }

    #[cfg(feature = "shared")]
    pub(crate) async fn wait_for<T: Future<Output = ()>>(
        &self,
        fetch: Option<store_tiers::Fetch>,
        sleep: impl FnOnce(Duration) -> T,
    ) {
        if let Some(fetch) = fetch {
            let timeout = self.blocking.settings().store_timeout();
            fetch.wait_async(sleep(timeout)).await;
        }
    }

    /// When a connection that begins now has to be done.
    pub(crate) fn deadline(&self) -> Instant {
        after(self.timeout())
    }

    fn timeout(&self) -> Duration {
        self.blocking.settings().timeout
    }

    /// Connects to the first address of `host` that answers.
    pub(crate) async fn tcp(
        &self,
        host: &Host,
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, Error> {
        let (host, timeout) = (host.as_str(), self.timeout());
        let found = in_time(at(Some(deadline)), lookup_host((host, port))).await;
        let addresses = found
            .map_err(|_| transport::no_answer(host, port, timeout))?
            .map_err(|error| transport::no_address(host, error))?;
        let connected = first_of(&addresses.collect::<Vec<_>>(), deadline).await;
        connected.map_err(|error| transport::unreached(host, port, timeout, error))
    }
}

/// Connects to the first of the addresses that answers, each with its share of the time left.
async fn first_of(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::TimedOut.into();
    let remaining = || deadline.saturating_duration_since(Instant::now());
    for (address, share) in net::share(addresses, remaining) {
        let connecting = timeout(share, TcpStream::connect(address)).await;
        match connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(tcp) => return tcp.set_nodelay(true).map(|()| tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
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
