//! The way to a server, and how long to wait on it.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind};

/// A transport that can stop waiting.
///
/// [`Stream::wait_for_tickets`](crate::rustls::Stream) reads with a deadline; a transport without
/// one cannot be asked to. A transport that never blocks can do nothing in `set_read_timeout`.
pub trait ReadTimeout {
    /// From now on, a read that has to wait longer fails with [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`]; `None` waits for ever.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// What was set last; restored after a wait.
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }
}

impl ReadTimeout for TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.read_timeout()
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
}

impl<T: ReadTimeout + ?Sized> ReadTimeout for &T {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        (**self).read_timeout()
    }
}

impl<T: ReadTimeout + ?Sized> ReadTimeout for Box<T> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        (**self).read_timeout()
    }
}

/// Connects to the first address of `host` that answers, all within `timeout`, which from then
/// on bounds each read and write until it is lifted.
pub(crate) fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, Error> {
    let until = Instant::now() + timeout;
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        let message = format!("{host}: no address found ({error}): check the name");
        Error::new(ErrorKind::Resolve, message).caused_by(error)
    })?;
    let mut last = None;
    for address in addresses {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => {
                let left = until.saturating_duration_since(Instant::now());
                let left = Some(left.max(Duration::from_millis(1)));
                let ready = tcp
                    .set_nodelay(true)
                    .and_then(|()| tcp.set_read_timeout(left))
                    .and_then(|()| tcp.set_write_timeout(left));
                return match ready {
                    Ok(()) => Ok(tcp),
                    Err(error) => Err(Error::of_transport(host, error)),
                };
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() != io::ErrorKind::TimedOut => {
            let message = format!(
                "{host}: cannot connect to port {port} ({error}): check that a server listens there"
            );
            Error::new(ErrorKind::Connect, message).caused_by(error)
        }
        _ => Error::new(
            ErrorKind::Timeout,
            format_args!("{host}: port {port} did not answer within {timeout:?}"),
        ),
    })
}

/// Waits as long as it takes again, once the handshake is done.
pub(crate) fn lift_timeouts(host: &str, tcp: &TcpStream) -> Result<(), Error> {
    tcp.set_read_timeout(None)
        .and_then(|()| tcp.set_write_timeout(None))
        .map_err(|error| Error::of_transport(host, error))
}
