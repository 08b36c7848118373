//! A transport that lets other connections run before its first read.

use std::error::Error;
use std::io::{self, Read, Write};
use std::time::Duration;

use lab::server::Server;
use lab::transport::InMemory;
use tls_resume::ReadTimeout;

/// What runs before the first read.
type BeforeRead<'a> = &'a mut dyn FnMut() -> Result<(), Box<dyn Error>>;

/// A connection to a server over memory. Before its first read, once the client has sent its
/// `ClientHello`, it runs a function.
pub(super) struct Transport<'a> {
    inner: InMemory,
    before_read: Option<BeforeRead<'a>>,
    error: Option<Box<dyn Error>>,
}

impl<'a> Transport<'a> {
    pub(super) fn new(server: &Server, before_read: BeforeRead<'a>) -> Self {
        Self {
            inner: InMemory::new(server),
            before_read: Some(before_read),
            error: None,
        }
    }

    /// The error of the function that ran before the first read.
    pub(super) fn take_error(&mut self) -> Option<Box<dyn Error>> {
        self.error.take()
    }

    /// Whether the handshake was resumed, as the server reports; `None` if it did not finish.
    pub(super) fn resumed_by_server(&mut self) -> Option<bool> {
        self.inner.server().facts().map(|facts| facts.resumed)
    }
}

impl Read for Transport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(before_read) = self.before_read.take()
            && let Err(error) = before_read()
        {
            self.error = Some(error);
            return Err(io::Error::other("another connection failed"));
        }
        self.inner.read(buffer)
    }
}

impl Write for Transport<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ReadTimeout for &mut Transport<'_> {
    /// Does nothing: reads in memory do not block.
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}
