//! A transport that outlives the stream that owns it.

use std::io::{self, ErrorKind, Read, Write};

use lab::transport::InMemory;

/// A transport inside an `SslStream`, which gives its transport back to nobody.
#[derive(Debug)]
pub(super) struct Detachable(
    // invariant: present until it is detached
    Option<InMemory>,
);

impl Detachable {
    pub(super) fn new(transport: InMemory) -> Self {
        Self(Some(transport))
    }

    pub(super) fn transport(&mut self) -> &mut InMemory {
        self.0.as_mut().expect("not detached")
    }

    /// Removes the transport. The stream can then only be dropped.
    pub(super) fn detach(&mut self) -> InMemory {
        self.0.take().expect("not detached")
    }

    fn attached(&mut self) -> io::Result<&mut InMemory> {
        self.0
            .as_mut()
            .ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

impl Read for Detachable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attached()?.read(buffer)
    }
}

impl Write for Detachable {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.attached()?.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attached()?.flush()
    }
}
