//! Transports and their timeouts; TCP connections to a host.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use store_core::net::{self, Deadline};

use crate::error::TlsEvidence;
use crate::first_bytes::FirstBytes;
use crate::{Error, ErrorKind};

/// Whether an error of this kind is the end of a transport.
pub(crate) fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
    )
}

/// A transport for tokio's tasks: anything that implements `AsyncRead`, `AsyncWrite`, `Send` and
/// `Unpin`.
#[cfg(feature = "tokio")]
pub trait AsyncIo: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

#[cfg(feature = "tokio")]
impl<IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> AsyncIo for IO {}

/// A transport whose reads can be kept from waiting, which
/// [`Stream::wait_for_tickets`](crate::generic::Stream::wait_for_tickets) and
/// [`Stream::close`](crate::generic::Stream::close) do.
///
/// A transport whose reads never block may implement `set_read_timeout` as `Ok(())`.
pub trait ReadTimeout {
    /// Sets how long a read may wait: after that it fails with [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`]. With `None` it waits without limit.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// The timeout set last, which is restored afterwards. Default: `None`.
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Sets whether a read fails with [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`] if
    /// nothing has arrived. Default: by a read timeout of a millisecond; `close` sets the one before again.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.set_read_timeout(nonblocking.then_some(Duration::from_millis(1)))
    }
}

impl ReadTimeout for TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.read_timeout()
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.set_nonblocking(nonblocking)
    }
}

#[cfg(unix)]
impl ReadTimeout for std::os::unix::net::UnixStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.read_timeout()
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.set_nonblocking(nonblocking)
    }
}

impl<T: ReadTimeout + ?Sized> ReadTimeout for &T {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        (**self).read_timeout()
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        (**self).set_nonblocking(nonblocking)
    }
}

impl<T: ReadTimeout + ?Sized> ReadTimeout for Box<T> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        (**self).read_timeout()
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        (**self).set_nonblocking(nonblocking)
    }
}

/// The transport of a blocking TLS connection, with a deadline for all reads and writes together.
///
/// A timeout of the socket bounds each read alone, and a TLS library reads until its message is
/// complete: a server that sends single bytes slowly would never exceed it.
pub struct Transport<IO> {
    io: IO,
    deadline: Option<(Deadline, SetTimeouts<IO>)>,
    // The address that it is connected to, if it is known.
    peer: Option<SocketAddr>,
    read_limit: ReadLimit,
    // The error of the last write, which not every version of OpenSSL passes on.
    write_error: Option<io::ErrorKind>,
    received: FirstBytes,
}

/// Limits each read and each write of a transport.
type SetTimeouts<IO> = fn(&IO, Duration) -> io::Result<()>;

/// How often the TLS library may read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadLimit {
    Unlimited,
    /// Until one read has succeeded.
    Once,
    /// That read has succeeded: more reads would block.
    Reached,
}

impl<IO> fmt::Debug for Transport<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<IO> Transport<IO> {
    /// A transport with the timeouts that the caller has set on it.
    pub(crate) fn new(io: IO) -> Self {
        Self {
            io,
            deadline: None,
            peer: None,
            read_limit: ReadLimit::Unlimited,
            write_error: None,
            received: FirstBytes::default(),
        }
    }

    /// The address that it is connected to, if it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// What shows that the server speaks TLS, for the error of a handshake.
    pub(crate) fn evidence(&self, offered_session: bool) -> TlsEvidence {
        TlsEvidence::new(self.received.are_tls(), offered_session)
    }

    pub(crate) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(crate) fn get_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    /// Allows one successful read: reads after it fail with [`io::ErrorKind::WouldBlock`].
    #[cfg(feature = "openssl")]
    pub(crate) fn limit_to_one_read(&mut self) {
        self.read_limit = ReadLimit::Once;
    }

    /// Allows all reads again. Returns whether the one read succeeded.
    #[cfg(feature = "openssl")]
    pub(crate) fn lift_read_limit(&mut self) -> bool {
        std::mem::replace(&mut self.read_limit, ReadLimit::Unlimited) == ReadLimit::Reached
    }

    /// The error of the last write.
    #[cfg(feature = "openssl")]
    pub(crate) fn write_error(&self) -> Option<io::ErrorKind> {
        self.write_error
    }

    /// Remembers the error of a write.
    fn remember(&mut self, wrote: io::Result<usize>) -> io::Result<usize> {
        self.write_error = match &wrote {
            Ok(0) => Some(io::ErrorKind::WriteZero),
            Ok(_) => None,
            Err(error) => Some(error.kind()),
        };
        wrote
    }

    /// Does one read or write, before the deadline if there is one.
    fn run<T>(&mut self, mut operation: impl FnMut(&mut IO) -> io::Result<T>) -> io::Result<T> {
        match self.deadline {
            Some((deadline, set_timeouts)) => deadline.run(&mut self.io, set_timeouts, operation),
            None => operation(&mut self.io),
        }
    }
}

impl Transport<TcpStream> {
    /// A connection whose reads and writes end by `deadline`.
    fn with_deadline(io: TcpStream, deadline: Deadline) -> Self {
        Self {
            deadline: Some((deadline, net::set_timeouts)),
            peer: io.peer_addr().ok(),
            ..Self::new(io)
        }
    }

    /// How to connect to the same address again, within the same deadline.
    pub(crate) fn again(&self) -> Option<Again> {
        let ((deadline, _), address) = self.deadline.zip(self.peer)?;
        Some(Again { address, deadline })
    }

    /// Removes the deadline and the socket's timeouts, once the handshake is done.
    pub(crate) fn lift_deadline(&mut self) -> io::Result<()> {
        self.deadline = None;
        self.io.set_read_timeout(None)?;
        self.io.set_write_timeout(None)
    }
}

impl<IO: Read> Read for Transport<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read_limit == ReadLimit::Reached {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.run(|io| io.read(buf));
        if let Ok(len) = read {
            self.received.add(&buf[..len]);
        }
        if self.read_limit == ReadLimit::Once {
            match &read {
                Ok(1..) => self.read_limit = ReadLimit::Reached,
                // OpenSSL takes any other error for the end of the connection.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                _ => {}
            }
        }
        read
    }
}

impl<IO: Write> Write for Transport<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let wrote = self.run(|io| io.write(buf));
        self.remember(wrote)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let wrote = self.run(|io| io.write_vectored(bufs));
        self.remember(wrote)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.run(Write::flush)
    }
}

/// A second connection to the same address.
pub(crate) struct Again {
    address: SocketAddr,
    deadline: Deadline,
}

impl Again {
    /// Connects within the first connection's deadline.
    pub(crate) fn connect(self) -> io::Result<Transport<TcpStream>> {
        let tcp = self.deadline.connect(&[self.address])?;
        Ok(Transport::with_deadline(tcp, self.deadline))
    }
}

/// Connects to the first address of `host` that answers, within `timeout`, which also bounds the
/// handshake until [`Transport::lift_deadline`].
pub(crate) fn connect(
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<Transport<TcpStream>, Error> {
    let deadline = Deadline::after(timeout);
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| no_address(host, error))?;
    match deadline.connect(&addresses.collect::<Vec<_>>()) {
        Ok(tcp) => Ok(Transport::with_deadline(tcp, deadline)),
        Err(error) => Err(unreached(host, port, timeout, error)),
    }
}

/// The error when no address of `host` accepted a connection; `error` is that of the last one.
pub(crate) fn unreached(host: &str, port: u16, timeout: Duration, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        no_answer(host, port, timeout)
    } else {
        refused(host, port, error)
    }
}

/// The error when `host` cannot be resolved.
pub(crate) fn no_address(host: &str, error: io::Error) -> Error {
    let message = format!("{host}: no address found ({error}): check the name");
    Error::new(ErrorKind::Resolve, message).caused_by(error)
}

/// The error when the last address of `host` rejected the connection.
fn refused(host: &str, port: u16, error: io::Error) -> Error {
    let message = format!(
        "{host}: cannot connect to port {port} ({error}): check that a server listens there"
    );
    Error::new(ErrorKind::Connect, message).caused_by(error)
}

/// The error when no address of `host` accepted a connection within `timeout`.
pub(crate) fn no_answer(host: &str, port: u16, timeout: Duration) -> Error {
    let message = format!(
        "{host}: port {port} did not answer within {timeout:?}: \
         check the address or raise the timeout"
    );
    Error::new(ErrorKind::Timeout, message)
}
