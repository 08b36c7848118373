//! The stream to Redis: TCP, TLS by a given configuration, or a Unix socket; bounded in what it reads.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::address::Endpoint;
use super::settings::Target;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How many bytes a [`BoundedStream`] may still read: what a reply to the request in progress may have;
/// zero between requests. A peer that sends more breaks the connection.
#[derive(Clone, Default)]
pub(super) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    pub(super) fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Takes `bytes` from what may be read.
    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes);
        let left = left.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "more data than a reply may have",
            )
        })?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// A stream that reads no more than its [`Allowance`].
pub(super) struct BoundedStream {
    io: Box<dyn Io>,
    allowance: Allowance,
}

impl BoundedStream {
    /// Connects, and makes the TLS handshake.
    pub(super) async fn connect(
        target: &Target,
        endpoint: &Endpoint,
        allowance: Allowance,
    ) -> io::Result<Self> {
        let io: Box<dyn Io> = match endpoint {
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Endpoint::Tcp(host, port) => {
                let tcp = connect_tcp(host, *port, target.connect_timeout).await?;
                tcp.set_nodelay(true)?;
                secure(target, host, tcp).await?
            }
        };
        Ok(Self { io, allowance })
    }
}

/// Connects to the first address of the host that answers; each one has its share of the timeout.
async fn connect_tcp(host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + within;
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (index, address) in (0_u32..).zip(&addresses) {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - index;
        match timeout(left / others.max(1), TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failed = error,
            Err(elapsed) => failed = elapsed.into(),
        }
    }
    Err(failed)
}

#[cfg(feature = "redis-tls")]
async fn secure(target: &Target, host: &str, tcp: TcpStream) -> io::Result<Box<dyn Io>> {
    let Some(config) = &target.tls else {
        return Ok(Box::new(tcp));
    };
    let name = host.to_owned().try_into().map_err(io::Error::other)?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
    Ok(Box::new(connector.connect(name, tcp).await?))
}

#[cfg(not(feature = "redis-tls"))]
#[expect(clippy::unused_async)] // as with the feature
async fn secure(_: &Target, _: &str, tcp: TcpStream) -> io::Result<Box<dyn Io>> {
    Ok(Box::new(tcp))
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        Poll::Ready(self.allowance.spend(buffer.filled().len() - before))
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
