//! A transport in memory: the server runs inside the client's reads and writes.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::server::{Server, ServerConnection};

/// The client's end of a connection to a server on the same thread.
///
/// Nothing blocks: a read yields what the server has sent so far, or [`ErrorKind::WouldBlock`]. The
/// time spent in the server is counted separately, so that the client can be measured alone.
#[derive(Debug)]
pub struct InMemory {
    server: ServerConnection,
    inbound: Vec<u8>,
    read: usize,
    bytes_in: u64,
    bytes_out: u64,
    server_time: Duration,
    held: bool,
    cut: bool,
}

impl InMemory {
    /// Connects to a server.
    pub fn new(server: &Server) -> Self {
        let start = Instant::now();
        let server = server.connection();
        Self {
            server,
            inbound: Vec::new(),
            read: 0,
            bytes_in: 0,
            bytes_out: 0,
            server_time: start.elapsed(),
            held: false,
            cut: false,
        }
    }

    /// How many bytes the client has read.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// How many bytes the client has written.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// The time spent in the server's code, including the creation of its connection.
    pub fn server_time(&self) -> Duration {
        self.server_time
    }

    /// The server's end of the connection.
    pub fn server(&mut self) -> &mut ServerConnection {
        &mut self.server
    }

    /// Holds back what the server sends, as latency does: while `held`, reads yield
    /// [`ErrorKind::WouldBlock`] and writes still reach the server.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Cuts the connection: from now on reads yield the end of the stream, without a
    /// `close_notify`, and writes fail with [`ErrorKind::BrokenPipe`].
    pub fn cut(&mut self) {
        self.cut = true;
    }

    fn timed(&mut self, serve: impl FnOnce(&mut Self)) {
        let start = Instant::now();
        serve(self);
        self.server_time += start.elapsed();
    }
}

impl Read for InMemory {
    /// Reads what the server has sent: [`ErrorKind::WouldBlock`] while that is nothing, `Ok(0)`
    /// once the server has closed or failed and everything is read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cut {
            return Ok(0);
        }
        if self.held {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.read == self.inbound.len() {
            self.inbound.clear();
            self.read = 0;
            self.timed(|this| this.server.send(&mut this.inbound));
        }
        let length = (&self.inbound[self.read..]).read(buffer)?;
        self.read += length;
        self.bytes_in += length as u64;
        if length == 0 && !buffer.is_empty() && !self.server.is_closed() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(length)
    }
}

impl Write for InMemory {
    /// Passes all bytes to the server, which processes them at once.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.cut {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.bytes_out += buffer.len() as u64;
        self.timed(|this| this.server.receive(buffer));
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.cut {
            Err(ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    }
}
