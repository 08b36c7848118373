//! The blocking stream.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use store_core::net::Deadline;

use crate::backend::sealed::Tls;
use crate::connection_info::{Connection, ConnectionInfo, Details};
use crate::connector::Kin;
use crate::transport::Transport;
use crate::{Backend, Protocol, ReadTimeout};

/// How long to wait for another ticket after the first: servers send their tickets together.
pub(crate) const MORE_TICKETS: Duration = Duration::from_millis(2);

/// The most reads of a transport that has something to read when it is closed: 1 MB or more.
pub(crate) const MAX_READS: usize = 64;

/// A TLS connection over `IO`, to read from and write to. Dereferences to [`ConnectionInfo`].
///
/// Sessions that the server sends are stored automatically. TLS 1.3 servers send them after
/// the handshake, and they arrive while the application reads: a connection that never reads stores
/// none, unless it [waits for them](Self::wait_for_tickets).
pub struct Stream<B: Backend, IO: Read + Write> {
    info: ConnectionInfo<B::Tls<IO>>,
    /// What it keeps for connections that resume its session.
    kept: Option<Arc<Kin<B>>>,
    closed: bool,
    retried: bool,
}

impl<B: Backend, IO: Read + Write> Stream<B, IO> {
    pub(crate) fn new(tls: B::Tls<IO>, kept: Option<Arc<Kin<B>>>, retried: bool) -> Self {
        Self {
            info: ConnectionInfo::new(tls),
            kept,
            closed: false,
            retried,
        }
    }

    pub(crate) fn kept(&self) -> Option<&Arc<Kin<B>>> {
        self.kept.as_ref()
    }

    /// Whether this connection is a second attempt, after a handshake with a session failed
    /// ([`retry_failed_resumption`](crate::generic::ConnectorBuilder::retry_failed_resumption)).
    pub fn retried(&self) -> bool {
        self.retried
    }

    pub(crate) fn transport(&mut self) -> &mut Transport<IO> {
        self.info.tls.io_mut()
    }

    /// Reads until the server's sessions have arrived, for `timeout` at most, and returns how many
    /// this connection has received so far. Application data that arrives meanwhile is kept for
    /// reading.
    ///
    /// For clients that close a connection without reading. Servers may send none, which is no
    /// error. After the first session it waits 2 ms for more. Returns at once if there is nothing
    /// to wait for: a TLS 1.2 session comes with the handshake, and a host in
    /// [`never_resume`](crate::generic::ConnectorBuilder::never_resume) has no sessions.
    pub fn wait_for_tickets(&mut self, timeout: Duration) -> io::Result<usize>
    where
        IO: ReadTimeout,
    {
        if self.protocol() == Protocol::Tls12 || !self.info.tls.details().keeps_sessions() {
            return Ok(self.tickets());
        }
        let before = self.get_ref().read_timeout()?;
        let read = self.read_tickets(timeout);
        self.get_ref().set_read_timeout(before)?;
        read.map(|()| self.tickets())
    }

    fn read_tickets(&mut self, timeout: Duration) -> io::Result<()>
    where
        IO: ReadTimeout,
    {
        let deadline = Deadline::after(timeout);
        loop {
            let mut left = deadline.remaining();
            if self.tickets() > 0 {
                left = left.min(MORE_TICKETS);
            }
            if left.is_zero() {
                return Ok(());
            }
            self.get_ref().set_read_timeout(Some(left))?;
            match self.info.tls.read_ahead() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if is_timeout(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends `close_notify` (RFC 8446, section 6.1), and reads what has arrived, without waiting: the
    /// client will send nothing more, and writing fails from now on. Data from the server can still be
    /// read. Later calls send nothing.
    ///
    /// A TCP connection that is dropped with unread bytes is reset, which can cost the server the client's
    /// last data. Unread tickets are such bytes. They are read here, and stored, up to the first
    /// application data, which is for the caller to read. What arrives after this call still makes a
    /// reset: read to the end to be sure.
    ///
    /// A `TcpStream` or `UnixStream` is blocking afterwards.
    pub fn close(&mut self) -> io::Result<()>
    where
        IO: ReadTimeout,
    {
        self.closed = true;
        self.info.tls.close()?;
        let before = self.get_ref().read_timeout()?;
        self.get_ref().set_nonblocking(true)?;
        self.read_arrived();
        self.get_ref().set_nonblocking(false)?;
        self.get_ref().set_read_timeout(before)
    }

    fn read_arrived(&mut self) {
        // A server that never stops sending is not read for ever.
        for _ in 0..MAX_READS {
            match self.info.tls.read_ahead() {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The connection has ended: an error, such as a reset, changes nothing.
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.info.tls.io().get_ref()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.info.tls.io_mut().get_mut()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl<B: Backend, IO: Read + Write> Deref for Stream<B, IO> {
    type Target = ConnectionInfo<B::Tls<IO>>;

    fn deref(&self) -> &Self::Target {
        &self.info
    }
}

impl<B: Backend, IO: Read + Write> Read for Stream<B, IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.info.tls.read(buf)
    }
}

impl<B: Backend, IO: Read + Write> Write for Stream<B, IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.closed {
            // rustls would accept the data and drop it.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.info.tls.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.info.tls.flush()
    }
}

impl<B: Backend, IO: Read + Write> fmt::Debug for Stream<B, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("protocol", &self.protocol())
            .field("resumption", &self.resumption())
            .finish_non_exhaustive()
    }
}
