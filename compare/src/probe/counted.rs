//! A transport that counts bytes and ends in time.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tls_resume::ReadTimeout;

/// A TCP connection that counts what goes through it.
///
/// Until [`lift`](Self::lift) all reads and writes together have to be done by a deadline: a server
/// that sends a byte now and then would outlast a timeout for each of them.
#[derive(Debug)]
pub(super) struct Counted {
    tcp: TcpStream,
    deadline: Cell<Option<Instant>>,
    bytes_in: u64,
    bytes_out: u64,
}

impl Counted {
    pub(super) fn new(tcp: TcpStream, timeout: Duration) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(timeout))?;
        Ok(Self {
            tcp,
            deadline: Cell::new(Some(Instant::now() + timeout)),
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// The handshake is done: from now on only the read timeout counts.
    pub(super) fn lift(&self) {
        self.deadline.set(None);
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    fn time_left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline.get() else {
            return Ok(None);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = self.time_left()? {
            self.tcp.set_read_timeout(Some(left))?;
        }
        let length = self.tcp.read(buffer)?;
        self.bytes_in += length as u64;
        Ok(length)
    }
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.time_left()?;
        let length = self.tcp.write(buffer)?;
        self.bytes_out += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl ReadTimeout for Counted {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp.read_timeout()
    }
}
