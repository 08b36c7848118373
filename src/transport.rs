//! The way to a server, and how long to wait on it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use store_core::net::{self, Deadline};

use crate::{Error, ErrorKind};

/// A transport that can stop waiting.
///
/// [`Stream::wait_for_tickets`](crate::generic::Stream::wait_for_tickets) reads with a deadline; a transport without
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

/// The transport of a connection, which can be told to stop before the TLS library would.
///
/// A library reads until it has what it wants: a server that sends a byte now and then keeps it
/// reading, whatever a single read may take.
pub struct Transport<IO> {
    io: IO,
    deadline: Option<(Deadline, SetTimeouts<IO>)>,
    turn: Turn,
    // What the last write failed with, which not every version of OpenSSL passes on.
    write_error: Option<io::ErrorKind>,
}

/// Limits each read and each write of a transport.
type SetTimeouts<IO> = fn(&IO, Duration) -> io::Result<()>;

/// How many reads the TLS library may make.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Free,
    One,
    Over,
}

impl<IO> fmt::Debug for Transport<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<IO> Transport<IO> {
    /// A transport whose timeouts are the caller's.
    pub(crate) fn new(io: IO) -> Self {
        Self {
            io,
            deadline: None,
            turn: Turn::Free,
            write_error: None,
        }
    }

    pub(crate) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(crate) fn get_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    /// From now on one read succeeds, and those after it find nothing.
    #[cfg(feature = "openssl")]
    pub(crate) fn begin_turn(&mut self) {
        self.turn = Turn::One;
    }

    /// Allows reads again; whether the one of this turn has brought something.
    #[cfg(feature = "openssl")]
    pub(crate) fn end_turn(&mut self) -> bool {
        std::mem::replace(&mut self.turn, Turn::Free) == Turn::Over
    }

    /// What the last write failed with.
    #[cfg(feature = "openssl")]
    pub(crate) fn write_error(&self) -> Option<io::ErrorKind> {
        self.write_error
    }

    /// Remembers how a write ended.
    fn wrote(&mut self, wrote: io::Result<usize>) -> io::Result<usize> {
        self.write_error = match &wrote {
            Ok(0) => Some(io::ErrorKind::WriteZero),
            Ok(_) => None,
            Err(error) => Some(error.kind()),
        };
        wrote
    }

    /// Does a read or a write, by the deadline if there is one.
    fn run<T>(&mut self, mut operation: impl FnMut(&mut IO) -> io::Result<T>) -> io::Result<T> {
        match self.deadline {
            Some((deadline, set_timeouts)) => deadline.run(&mut self.io, set_timeouts, operation),
            None => operation(&mut self.io),
        }
    }
}

impl Transport<TcpStream> {
    /// A connection all of whose reads and writes end by `deadline`.
    fn until(io: TcpStream, deadline: Deadline) -> Self {
        Self {
            deadline: Some((deadline, net::set_timeouts)),
            ..Self::new(io)
        }
    }

    /// Waits as long as it takes again, once the handshake is done.
    pub(crate) fn lift_deadline(&mut self) -> io::Result<()> {
        self.deadline = None;
        self.io.set_read_timeout(None)?;
        self.io.set_write_timeout(None)
    }
}

impl<IO: Read> Read for Transport<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.turn == Turn::Over {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.run(|io| io.read(buf));
        if self.turn == Turn::One {
            match &read {
                Ok(1..) => self.turn = Turn::Over,
                // In OpenSSL's eyes only this is not the end of the connection.
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
        self.wrote(wrote)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let wrote = self.run(|io| io.write_vectored(bufs));
        self.wrote(wrote)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.run(Write::flush)
    }
}

/// Connects to the first address of `host` that answers, all within `timeout`, which goes on to
/// bound the handshake until it is lifted.
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
        Ok(tcp) => Ok(Transport::until(tcp, deadline)),
        Err(error) => Err(unreached(host, port, timeout, error)),
    }
}

/// What it means that the last address of `host` could not be connected to.
pub(crate) fn unreached(host: &str, port: u16, timeout: Duration, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        no_answer(host, port, timeout)
    } else {
        refused(host, port, error)
    }
}

/// The name of `host` leads nowhere.
pub(crate) fn no_address(host: &str, error: io::Error) -> Error {
    let message = format!("{host}: no address found ({error}): check the name");
    Error::new(ErrorKind::Resolve, message).caused_by(error)
}

/// No address of `host` took the connection.
fn refused(host: &str, port: u16, error: io::Error) -> Error {
    let message = format!(
        "{host}: cannot connect to port {port} ({error}): check that a server listens there"
    );
    Error::new(ErrorKind::Connect, message).caused_by(error)
}

/// `host` took longer than `timeout` to be reached.
pub(crate) fn no_answer(host: &str, port: u16, timeout: Duration) -> Error {
    let message = format!(
        "{host}: port {port} did not answer within {timeout:?}: \
         check the address or raise the timeout"
    );
    Error::new(ErrorKind::Timeout, message)
}
