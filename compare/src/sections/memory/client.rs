//! A client whose store is measured.

use std::error::Error;
use std::io::{self, Read};

use store_core::Stats;

use super::transport::Transport;

/// The port in the stores' keys. Nothing listens there.
pub(super) const PORT: u16 = 443;

/// A client with a store.
pub(super) trait Client {
    /// Makes a handshake, reads the tickets, and closes the connection. Whether it was resumed.
    fn connect(&self, host: &str, io: &mut Transport<'_>) -> Result<bool, Box<dyn Error>>;

    /// The store's own statistics, if it has any.
    fn stats(&self) -> Option<Stats>;
}

/// Reads the tickets that follow the handshake; there is no data.
pub(super) fn read_tickets(stream: &mut impl Read) -> Result<(), Box<dyn Error>> {
    match stream.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the server sent unexpected data".into()),
    }
}
