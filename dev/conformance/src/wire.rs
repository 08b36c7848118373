//! The way between a client and a server, and what can happen on it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::server::{Handshake, Server};
use lab::transport::InMemory;
use tls_resume::ReadTimeout;

/// The client's end of a connection, to a server in this process or by TCP to another one.
#[derive(Debug)]
pub struct Wire {
    way: Way,
    after_hello: Incident,
}

#[derive(Debug)]
enum Way {
    Memory(Box<InMemory>),
    Tcp(TcpStream),
}

/// What happens once the server has heard the client for the first time.
#[derive(Default)]
pub(crate) enum Incident {
    /// Nothing.
    #[default]
    None,
    /// The network is gone.
    Cut,
    /// Something else takes place meanwhile, and then the network is gone.
    MeanwhileAndCut(Box<dyn FnOnce() + Send>),
}

impl Wire {
    pub(crate) fn new(server: &Server, after_hello: Incident) -> Self {
        Self {
            way: Way::Memory(Box::new(InMemory::new(server))),
            after_hello,
        }
    }

    /// The way to a server in another process.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self {
            way: Way::Tcp(stream),
            after_hello: Incident::None,
        }
    }

    /// The server's word on the handshake, once it is done, if the server is in this process.
    pub(crate) fn server_facts(&mut self) -> Option<Handshake> {
        match &mut self.way {
            Way::Memory(memory) => memory.server().facts(),
            Way::Tcp(_) => None,
        }
    }

    /// The early data that the server has accepted, if the server is in this process.
    pub(crate) fn server_early_data(&mut self) -> Option<Vec<u8>> {
        match &mut self.way {
            Way::Memory(memory) => Some(memory.server().early_data().to_vec()),
            Way::Tcp(_) => None,
        }
    }

    fn cut(&mut self) {
        match &mut self.way {
            Way::Memory(memory) => memory.cut(),
            // One that is down already is as good as cut.
            Way::Tcp(stream) => drop(stream.shutdown(std::net::Shutdown::Both)),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Memory(memory) => memory.read(buf),
            Way::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = match &mut self.way {
            Way::Memory(memory) => memory.write(buf),
            Way::Tcp(stream) => stream.write(buf),
        }?;
        match std::mem::take(&mut self.after_hello) {
            Incident::None => {}
            Incident::Cut => self.cut(),
            Incident::MeanwhileAndCut(meanwhile) => {
                meanwhile();
                self.cut();
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Memory(memory) => memory.flush(),
            Way::Tcp(stream) => stream.flush(),
        }
    }
}

impl ReadTimeout for Wire {
    /// Nothing to do in memory, where nobody waits.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.way {
            Way::Memory(_) => Ok(()),
            Way::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        match &self.way {
            Way::Memory(_) => Ok(None),
            Way::Tcp(stream) => stream.read_timeout(),
        }
    }
}

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Cut => "Cut",
            Self::MeanwhileAndCut(_) => "MeanwhileAndCut",
        })
    }
}
