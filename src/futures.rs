//! Connectors over streams of futures-io, for smol and other runtimes than tokio.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
//! use smol::io::{AsyncReadExt, AsyncWriteExt};
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//!
//! let connector = Connector::builder().build()?.futures(smol::Timer::after);
//! let tcp = smol::net::TcpStream::connect("example.com:443").await?;
//! let mut stream = connector.connect_stream("example.com", 443, tcp).await?;
//! stream.write_all(b"HEAD / HTTP/1.0\r\nHost: example.com\r\n\r\n").await?;
//! stream.flush().await?; // the stream may buffer what is written
//! stream.read_to_end(&mut Vec::new()).await?; // TLS 1.3 tickets come while reading
//! println!("{:?}", stream.resumption());
//! stream.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Connections are those of [tokio's door](crate::tokio), driven through its traits and without its runtime:
//! what is said there of [cancelling](crate::tokio#cancelling) and of
//! [blocking calls](crate::tokio#blocking-calls) holds here. Transports and timers are the caller's.

mod stream;
#[cfg(feature = "shared")]
mod tier;

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use tokio_util::compat::FuturesAsyncReadCompatExt;

pub use self::stream::Stream;
pub use crate::backend::AsyncBackend as Backend;
use crate::{ConnectOptions, Error, generic, tokio};

/// A transport: anything that implements [`AsyncRead`], [`AsyncWrite`], `Send` and `Unpin`.
pub trait AsyncIo: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> AsyncIo for IO {}

/// Makes a timer of the caller's runtime.
type Sleep = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Makes TLS connections over transports of futures-io that resume earlier sessions with the same server
/// where they can.
///
/// Made by [`generic::Connector::futures`], and shares the configuration and the store of that
/// connector. Cheap to clone.
pub struct Connector<B: Backend> {
    tasks: tokio::Connector<B>,
    sleep: Sleep,
}

impl<B: Backend> generic::Connector<B> {
    /// The same connector for transports of futures-io, with the same store.
    ///
    /// `sleep` makes a timer of the runtime, a future that completes after the given time:
    /// `smol::Timer::after`, or `futures_timer::Delay::new`. Timers are for
    /// deadlines, waits for tickets, and a tier.
    pub fn futures<T: Future + Send + 'static>(
        &self,
        sleep: impl Fn(Duration) -> T + Send + Sync + 'static,
    ) -> Connector<B> {
        Connector {
            tasks: self.tokio(),
            sleep: Arc::new(move |time| {
                let timer = sleep(time);
                Box::pin(async {
                    timer.await;
                })
            }),
        }
    }
}

impl<B: Backend> Connector<B> {
    /// Makes the handshake with `host` over a transport that is already connected, without a
    /// timeout. `host` is sent in SNI unless it is an IP address, and the certificate must be for
    /// it; sessions are stored under `host` and `port`.
    ///
    /// A failed handshake drops the transport, and so closes the connection. To keep it, pass
    /// `&mut` of it. A timeout that the caller sets around the future cancels the handshake, as
    /// dropping it does; one that counts as a failed handshake is that of
    /// [`connect_stream_until`](Self::connect_stream_until).
    pub async fn connect_stream<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over(host, port, &[], io, pending()).await;
        connected.map(|(stream, _)| stream)
    }

    /// Connects as [`connect_stream`](Self::connect_stream) does, and sends the beginning of `data` with
    /// the first message of the handshake, as early data (0-RTT). Returns with the stream how many
    /// leading bytes of it the server accepted; the rest is still to be written.
    ///
    /// Read first [when it is safe](generic::Connector::connect_early), at the blocking connector's
    /// `connect_early`. If the future is dropped, the server may have processed `data` all the same.
    pub async fn connect_stream_early<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        data: &[u8],
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let early = self.blocking().allowed_early_data(data);
        self.over(host, port, early, io, pending()).await
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
        let left = || deadline.saturating_duration_since(Instant::now());
        let ended = async { (self.sleep)(left()).await };
        let connected = self.over(host, port, &[], io, ended).await;
        connected.map(|(stream, _)| stream)
    }

    async fn over<IO: AsyncIo>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
        deadline: impl Future<Output = ()> + Send,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let sleep = &*self.sleep;
        let connecting = self
            .tasks
            .over(host, port, early, io.compat(), deadline, sleep);
        let (stream, accepted) = connecting.await?;
        Ok((Stream::new(stream, Arc::clone(&self.sleep)), accepted))
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
        self.with(self.blocking().with_options(options))
    }

    /// A handle of the same connector whose connections resume the session of `connection`, and no
    /// other, as [the blocking connector's](generic::Connector::resuming).
    pub fn resuming<IO: AsyncIo>(&self, connection: &Stream<B, IO>) -> Result<Self, Error> {
        let handle = self.blocking().resuming_kept(connection.kept())?;
        Ok(self.with(handle))
    }

    /// Makes the handshake over a transport that is already connected, with the host of `connection`,
    /// whose session it resumes: [`resuming`](Self::resuming) for one connection, such as a data
    /// connection of FTPS.
    pub async fn connect_stream_resuming<Of: AsyncIo, IO: AsyncIo>(
        &self,
        connection: &Stream<B, Of>,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let (handle, host, port) = self.blocking().resuming_server(connection.kept())?;
        self.with(handle).connect_stream(host, port, io).await
    }

    /// The blocking connector, with the statistics and the other methods.
    pub fn blocking(&self) -> &generic::Connector<B> {
        self.tasks.blocking()
    }

    /// This handle of the connector, with the same timers.
    #[allow(clippy::needless_pass_by_value, reason = "a new handle")]
    fn with(&self, handle: generic::Connector<B>) -> Self {
        Self {
            tasks: handle.tokio(),
            sleep: Arc::clone(&self.sleep),
        }
    }
}

impl<B: Backend> Clone for Connector<B> {
    fn clone(&self) -> Self {
        Self {
            tasks: self.tasks.clone(),
            sleep: Arc::clone(&self.sleep),
        }
    }
}

impl<B: Backend> fmt::Debug for Connector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tasks.fmt(f)
    }
}
