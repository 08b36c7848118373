//! The transport between a client and a server, and what can happen to it.

mod asynchronous;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::faults::FaultyTransport;
use lab::server::Handshake;
use tls_resume::ReadTimeout;

/// The client's end of a connection, in memory or over TCP.
///
/// Blocking clients read and write it, and those of tokio too: they poll until there is something to
/// read.
pub struct Wire {
    link: Link,
    /// Called after the client's first write, which has the `ClientHello`.
    after_hello: Option<Box<dyn FnOnce() + Send>>,
}

#[derive(Debug)]
enum Link {
    Memory(Box<FaultyTransport>),
    Tcp(TcpStream),
}

impl Wire {
    /// A connection to a server in this process.
    pub(crate) fn new(transport: FaultyTransport) -> Self {
        Self {
            link: Link::Memory(Box::new(transport)),
            after_hello: None,
        }
    }

    /// A connection to a server that listens.
    pub fn tcp(stream: TcpStream) -> Self {
        Self {
            link: Link::Tcp(stream),
            after_hello: None,
        }
    }

    /// Calls `call` after the client's first write, which has the `ClientHello`.
    pub(crate) fn calling(self, call: impl FnOnce() + Send + 'static) -> Self {
        Self {
            after_hello: Some(Box::new(call)),
            ..self
        }
    }

    /// The handshake as the server reports it, once it is completed. `None` over TCP.
    pub(crate) fn server_facts(&self) -> Option<Handshake> {
        match &self.link {
            Link::Memory(memory) => memory.server().facts(),
            Link::Tcp(_) => None,
        }
    }

    /// The early data that the server has accepted. `None` over TCP.
    pub(crate) fn server_early_data(&self) -> Option<Vec<u8>> {
        match &self.link {
            Link::Memory(memory) => Some(memory.server().early_data().to_vec()),
            Link::Tcp(_) => None,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.link {
            Link::Memory(memory) => memory.read(buf),
            Link::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = match &mut self.link {
            Link::Memory(memory) => memory.write(buf),
            Link::Tcp(stream) => stream.write(buf),
        }?;
        if let Some(call) = self.after_hello.take() {
            call();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.link {
            Link::Memory(memory) => memory.flush(),
            Link::Tcp(stream) => stream.flush(),
        }
    }
}

impl ReadTimeout for Wire {
    /// Does nothing in memory, where reads do not block.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.link {
            Link::Memory(_) => Ok(()),
            Link::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        match &self.link {
            Link::Memory(_) => Ok(None),
            Link::Tcp(stream) => stream.read_timeout(),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.link).finish()
    }
}
