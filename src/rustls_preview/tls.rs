//! A connection of the next rustls with its transport.
//!
//! rustls itself neither reads nor writes any more: what arrives is collected here and shown to it.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use backend_rustls::preview::Connection as Handle;
use rustls_next::{ClientConnection, Connection as _, VecInput};

use super::facts::Known;
use super::failure::of_handshake;
use crate::Error;
use crate::backend::sealed;
use crate::facts::Facts;
use crate::transport::Transport;

/// A rustls connection whose handshake is done, with its transport.
pub struct Tls<IO> {
    connection: ClientConnection,
    /// What has arrived and is still to be processed.
    input: VecInput,
    io: Transport<IO>,
    handle: Option<Arc<Handle>>,
}

impl<IO> fmt::Debug for Tls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl<IO> Tls<IO> {
    pub(super) fn connection(&self) -> &ClientConnection {
        &self.connection
    }
}

impl<IO: Read + Write> Tls<IO> {
    /// Makes the handshake with `host`, and settles it.
    pub(super) fn handshake(
        host: &str,
        connection: ClientConnection,
        io: Transport<IO>,
        handle: Option<Arc<Handle>>,
    ) -> Result<Self, Error> {
        let mut tls = Self {
            connection,
            input: VecInput::default(),
            io,
            handle,
        };
        tls.complete().map_err(|error| of_handshake(host, error))?;
        if let (Some(handle), Some(kind)) = (&tls.handle, tls.connection.handshake_kind()) {
            handle.settle(kind);
        }
        Ok(tls)
    }

    fn complete(&mut self) -> io::Result<()> {
        loop {
            self.send()?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.arrive()? == 0 && self.connection.is_handshaking() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes all that rustls has to write.
    fn send(&mut self) -> io::Result<()> {
        let mut wrote = false;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.io) {
                // A transport that takes nothing would keep this going for ever.
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(_) => wrote = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if wrote { self.io.flush() } else { Ok(()) }
    }

    /// Reads once and has rustls process it; how many bytes came, zero at the end.
    fn arrive(&mut self) -> io::Result<usize> {
        let read = loop {
            match self.input.read(&mut self.io) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        if let Err(error) = self.connection.process_new_packets(&mut self.input) {
            // There may be an alert that says so, to a peer that may be gone.
            let _ = self.send();
            return Err(self.fatal(error));
        }
        Ok(read)
    }

    /// An error of rustls's as one of I/O, of which the handle is told if it is the server's alert.
    fn fatal(&self, error: rustls_next::Error) -> io::Error {
        if let (rustls_next::Error::AlertReceived(_), Some(handle)) = (&error, &self.handle) {
            handle.alert_received();
        }
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl<IO: Read + Write> Read for Tls<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            match self.send() {
                // What cannot be written now does not keep from reading.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => done?,
            }
            self.arrive()?;
        }
    }
}

impl<IO: Read + Write> Write for Tls<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send()?;
        let taken = self.connection.writer().write(buf)?;
        // They are taken: what goes wrong on their way is what the next call meets.
        let _ = self.send();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.io.flush()
    }
}

impl<IO: Read + Write> sealed::Tls<IO> for Tls<IO> {
    fn facts(&self) -> impl Facts {
        Known {
            connection: &self.connection,
            handle: self.handle.as_deref(),
        }
    }

    fn read_ahead(&mut self) -> io::Result<bool> {
        if !self.connection.wants_read() {
            return Ok(false);
        }
        let ended = self.arrive()? == 0;
        // It wants to read no more where there is data, or the peer's farewell.
        Ok(!ended && self.connection.wants_read())
    }

    fn close(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.send()?;
        self.io.flush()
    }

    fn io(&self) -> &Transport<IO> {
        &self.io
    }

    fn io_mut(&mut self) -> &mut Transport<IO> {
        &mut self.io
    }
}
