//! The transport between a client and a server, and what can happen to it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::server::{Handshake, Server};
use lab::transport::InMemory;
use tls_resume::ReadTimeout;

/// The client's end of a connection, in memory or over TCP.
#[derive(Debug)]
pub struct Wire {
    link: Link,
    after_hello: Incident,
}

#[derive(Debug)]
enum Link {
    Memory(Box<InMemory>),
    Tcp(TcpStream),
}

/// What happens after the client's first write, which has the `ClientHello`.
#[derive(Default)]
pub(crate) enum Incident {
    /// Nothing.
    #[default]
    None,
    /// The connection is cut.
    Cut,
    /// This is called, and then the connection is cut.
    CallAndCut(Box<dyn FnOnce() + Send>),
}

impl Wire {
    pub(crate) fn new(server: &Server, after_hello: Incident) -> Self {
        Self {
            link: Link::Memory(Box::new(InMemory::new(server))),
            after_hello,
        }
    }

    /// A connection to a server in another process.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self {
            link: Link::Tcp(stream),
            after_hello: Incident::None,
        }
    }

    /// The handshake as the server reports it, once it is completed. `None` over TCP.
    pub(crate) fn server_facts(&mut self) -> Option<Handshake> {
        match &mut self.link {
            Link::Memory(memory) => memory.server().facts(),
            Link::Tcp(_) => None,
        }
    }

    /// The early data that the server has accepted. `None` over TCP.
    pub(crate) fn server_early_data(&mut self) -> Option<Vec<u8>> {
        match &mut self.link {
            Link::Memory(memory) => Some(memory.server().early_data().to_vec()),
            Link::Tcp(_) => None,
        }
    }

    fn cut(&mut self) {
        match &mut self.link {
            Link::Memory(memory) => memory.cut(),
            // Fails if the connection has ended.
            Link::Tcp(stream) => drop(stream.shutdown(std::net::Shutdown::Both)),
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
        match std::mem::take(&mut self.after_hello) {
            Incident::None => {}
            Incident::Cut => self.cut(),
            Incident::CallAndCut(call) => {
                call();
                self.cut();
            }
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

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Cut => "Cut",
            Self::CallAndCut(_) => "CallAndCut",
        })
    }
}
