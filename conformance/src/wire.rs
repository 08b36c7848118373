//! The way between a client and a server in this process, and what can happen on it.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use lab::server::{Handshake, Server};
use lab::transport::InMemory;
use tls_resume::ReadTimeout;

/// The client's end of a connection to a server in this process.
#[derive(Debug)]
pub struct Wire {
    memory: InMemory,
    after_hello: Incident,
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
            memory: InMemory::new(server),
            after_hello,
        }
    }

    /// The server's word on the handshake, once it is done.
    pub(crate) fn server_facts(&mut self) -> Option<Handshake> {
        self.memory.server().facts()
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.memory.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.memory.write(buf)?;
        match std::mem::take(&mut self.after_hello) {
            Incident::None => {}
            Incident::Cut => self.memory.cut(),
            Incident::MeanwhileAndCut(meanwhile) => {
                meanwhile();
                self.memory.cut();
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.flush()
    }
}

impl ReadTimeout for Wire {
    /// Nothing to do: this transport never waits.
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
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
