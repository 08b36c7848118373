//! A connection of the next rustls with its transport.
//!
//! The next rustls does not read from transports: this module does, and passes the bytes to it.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use backend_rustls::preview::Connection as Handle;
use rustls_next::{ClientConnection, Connection as _, KeyingMaterialExporter, VecInput};

use super::details::RustlsDetails;
use super::failure::handshake_error;
use crate::Error;
use crate::backend::sealed;
use crate::connection_info::{self, Details};
use crate::transport::{Transport, is_end};

/// A connection of rustls whose handshake is done, with its transport.
pub struct Tls<IO> {
    connection: ClientConnection,
    /// Bytes received that rustls has not processed yet.
    input: VecInput,
    io: Transport<IO>,
    /// Whether the transport is to be flushed.
    unflushed: bool,
    handle: Option<Arc<Handle>>,
    /// Set after the handshake. rustls gives it once.
    exporter: Option<KeyingMaterialExporter>,
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

    /// A connection whose handshake is to be made.
    pub(super) fn new(
        connection: ClientConnection,
        io: Transport<IO>,
        handle: Option<Arc<Handle>>,
    ) -> Self {
        Self {
            connection,
            input: VecInput::default(),
            io,
            unflushed: false,
            handle,
            exporter: None,
        }
    }

    /// The error of a handshake with `host` that failed, which is reported to the handle.
    pub(super) fn failed(&self, host: &str, error: io::Error) -> Error {
        let offered = self.handle.as_ref().is_some_and(|handle| handle.offered());
        let error = handshake_error(host, self.io.evidence(offered), error);
        if let Some(handle) = &self.handle {
            error.report(|alert| handle.alert_received(alert), || handle.distrusted());
        }
        error.with_offered(offered)
    }

    /// Cancels the handshake.
    #[cfg(feature = "tokio")]
    pub(super) fn cancel(&self) {
        if let Some(handle) = &self.handle {
            handle.cancel();
        }
    }

    pub(super) fn details(&self) -> RustlsDetails<'_> {
        RustlsDetails {
            connection: &self.connection,
            handle: self.handle.as_deref(),
            exporter: self.exporter.as_ref(),
        }
    }
}

impl<IO: Read + Write> Tls<IO> {
    /// Makes the handshake, or what is left of it: it goes on after an error of a transport that is not
    /// ready. The handle is not settled.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        loop {
            self.send()?;
            if !self.connection.is_handshaking() {
                self.exporter = self.connection.exporter().ok();
                return Ok(());
            }
            if self.receive()? == 0 && self.connection.is_handshaking() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes the records that rustls has ready.
    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.io) {
                // A transport that accepts no bytes would make this loop endless.
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(_) => self.unflushed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.unflushed {
            self.io.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// As [`send`](Self::send), but not an error if the transport is not ready.
    pub(super) fn try_send(&mut self) -> io::Result<()> {
        match self.send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }

    /// Reads once and has rustls process the bytes. Returns their number, zero at the end.
    fn receive(&mut self) -> io::Result<usize> {
        let read = loop {
            match self.input.read(&mut self.io) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        if let Err(error) = self.connection.process_new_packets(&mut self.input) {
            // rustls may have an alert to send; the peer may be gone.
            let _ = self.send();
            return Err(self.io_error(error));
        }
        Ok(read)
    }

    /// Wraps an error of rustls in an I/O error. Reports to the handle if it is an alert from the
    /// server.
    fn io_error(&self, error: rustls_next::Error) -> io::Error {
        if let (rustls_next::Error::AlertReceived(alert), Some(handle)) = (&error, &self.handle) {
            handle.alert_received(Some((*alert).into()));
        }
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl<IO: Read + Write> Read for Tls<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    match (&done, &self.handle) {
                        (Ok(1..), Some(handle)) => handle.received_data(),
                        (Err(error), Some(handle)) if is_end(error.kind()) => {
                            handle.transport_ended();
                        }
                        _ => {}
                    }
                    return done;
                }
            }
            self.try_send()?; // reading may succeed where writing would block
            self.receive().inspect_err(|error| {
                if let (true, Some(handle)) = (is_end(error.kind()), &self.handle) {
                    handle.transport_ended();
                }
            })?;
        }
    }
}

impl<IO: Read + Write> Write for Tls<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send()?;
        let taken = self.connection.writer().write(buf)?;
        // rustls has accepted the bytes: the next call reports an error of sending them.
        let _ = self.send();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unflushed = true;
        self.send()
    }
}

impl<IO> connection_info::Connection for Tls<IO> {
    fn details(&self) -> impl Details {
        self.details()
    }
}

impl<IO: Read + Write> sealed::Tls<IO> for Tls<IO> {
    fn read_ahead(&mut self) -> io::Result<bool> {
        if !self.connection.wants_read() {
            return Ok(false);
        }
        let ended = self.receive()? == 0;
        // rustls wants no more bytes if there is data to read, or after close_notify.
        Ok(!ended && self.connection.wants_read())
    }

    fn close(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.send()?;
        if let Some(handle) = &self.handle {
            handle.closed();
        }
        Ok(())
    }

    fn io(&self) -> &Transport<IO> {
        &self.io
    }

    fn io_mut(&mut self) -> &mut Transport<IO> {
        &mut self.io
    }
}
