//! A transport in memory that injects a fault into what the server sends.

use std::io::{self, ErrorKind, Read, Write};

use super::injector::{Fault, Injector};
use crate::server::{Server, ServerConnection};

/// The client's end of a connection to a server on the same thread, like
/// [`InMemory`](crate::transport::InMemory), with a [`Fault`] in what the server sends.
///
/// Nothing blocks: a read yields what the server has sent so far, or [`ErrorKind::WouldBlock`].
#[derive(Debug)]
pub struct FaultyTransport {
    server: ServerConnection,
    injector: Injector,
    inbound: Vec<u8>,
    read: usize,
}

impl FaultyTransport {
    /// Connects to a server with this fault.
    pub fn new(server: &Server, fault: Fault) -> Self {
        Self::with_injector(server, Injector::new(fault))
    }

    /// Connects to a server with this fault, injected only if the client offers a session.
    ///
    /// If a client of both versions offers a TLS 1.2 session by its id, none is injected.
    pub fn on_resumption(server: &Server, fault: Fault) -> Self {
        Self::with_injector(server, Injector::on_resumption(fault))
    }

    fn with_injector(server: &Server, injector: Injector) -> Self {
        Self {
            server: server.connection(),
            injector,
            inbound: Vec::new(),
            read: 0,
        }
    }

    /// The server's end of the connection.
    pub fn server(&self) -> &ServerConnection {
        &self.server
    }

    fn fetch(&mut self) {
        self.read = 0;
        let mut sent = Vec::new();
        self.server.send(&mut sent);
        let finished = self.server.facts().map(|facts| facts.protocol);
        self.inbound = self.injector.inject(&sent, finished);
    }
}

impl Read for FaultyTransport {
    /// Reads what the server has sent: [`ErrorKind::WouldBlock`] while that is nothing, `Ok(0)` at
    /// the end of the connection.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.inbound.len() && !self.injector.has_ended() {
            self.fetch();
        }
        let length = (&self.inbound[self.read..]).read(buffer)?;
        self.read += length;
        let ended = self.injector.has_ended() || self.server.is_closed();
        if length == 0 && !buffer.is_empty() && !ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(length)
    }
}

impl Write for FaultyTransport {
    /// Passes the bytes to the server, which processes them at once. After the end of the
    /// connection they are lost, as in a socket whose other end has just been closed.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let received = self.injector.client_sent(buffer);
        // A server on OpenSSL would empty the error queue of this thread, which is the client's too.
        if !self.injector.has_ended() {
            self.server.receive(&received);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
