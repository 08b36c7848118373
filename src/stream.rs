//! A connection, the same for either backend.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use store_core::net::Deadline;

use crate::backend::sealed::Tls;
use crate::facts::{Facts, tells_its_facts};
use crate::transport::Transport;
use crate::{Backend, Protocol, ReadTimeout};

/// Servers send their tickets in one go: how long to wait for another one after the first.
pub(crate) const MORE_TICKETS: Duration = Duration::from_millis(2);

/// A TLS connection over `IO`, to read from and write to.
///
/// Sessions that the server sends while it lives are stored by themselves. TLS 1.3 servers send
/// them after the handshake, and they arrive while the application reads:
/// a connection that never reads stores none ([`wait_for_tickets`](Self::wait_for_tickets)).
pub struct Stream<B: Backend, IO: Read + Write> {
    tls: B::Tls<IO>,
    closed: bool,
}

impl<B: Backend, IO: Read + Write> Stream<B, IO> {
    pub(crate) fn new(tls: B::Tls<IO>) -> Self {
        Self { tls, closed: false }
    }

    pub(crate) fn transport(&mut self) -> &mut Transport<IO> {
        self.tls.io_mut()
    }

    pub(crate) fn tls(&self) -> &B::Tls<IO> {
        &self.tls
    }

    fn facts(&self) -> impl Facts {
        self.tls.facts()
    }

    tells_its_facts!();

    /// Reads until the server's sessions have come, at most for `deadline`, and says how many this
    /// connection received so far. Application data that comes meanwhile is kept for reading.
    ///
    /// For clients that are done before they read anything. Returns at once if there is nothing to
    /// wait for: with TLS 1.2 the session comes with the handshake, and a host that is never resumed
    /// with has none.
    pub fn wait_for_tickets(&mut self, deadline: Duration) -> io::Result<usize>
    where
        IO: ReadTimeout,
    {
        if self.protocol() == Protocol::Tls12 || !self.facts().keeps_sessions() {
            return Ok(self.tickets());
        }
        let before = self.get_ref().read_timeout()?;
        let read = self.read_tickets(deadline);
        self.get_ref().set_read_timeout(before)?;
        read.map(|()| self.tickets())
    }

    fn read_tickets(&mut self, deadline: Duration) -> io::Result<()>
    where
        IO: ReadTimeout,
    {
        let end = Deadline::after(deadline);
        loop {
            let mut left = end.remaining();
            if self.tickets() > 0 {
                left = left.min(MORE_TICKETS);
            }
            if left.is_zero() {
                return Ok(());
            }
            self.get_ref().set_read_timeout(Some(left))?;
            match self.tls.read_ahead() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if is_timeout(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the server that nothing more will be sent (`close_notify`); writing fails from now
    /// on. Once more does nothing.
    pub fn close(&mut self) -> io::Result<()> {
        self.closed = true;
        self.tls.close()
    }

    /// The transport.
    pub fn get_ref(&self) -> &IO {
        self.tls.io().get_ref()
    }

    /// The transport. Reading from or writing to it breaks the connection.
    pub fn get_mut(&mut self) -> &mut IO {
        self.tls.io_mut().get_mut()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl<B: Backend, IO: Read + Write> Read for Stream<B, IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tls.read(buf)
    }
}

impl<B: Backend, IO: Read + Write> Write for Stream<B, IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.closed {
            // rustls would take the data and drop it.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.tls.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.flush()
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
