//! The client's timer.

use std::time::{Duration, Instant};

use lab::transport::InMemory;

/// Runs from the moment a connection object is requested.
pub(super) struct Timer {
    started: Instant,
    server_before: Duration,
}

/// A stopped timer, with the bytes that went over the transport.
pub(super) struct Reading {
    pub(super) client: Duration,
    pub(super) server: Duration,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Timer {
    /// Starts the timer. The server's end of the connection exists already: creating it is not the
    /// client's work.
    pub(super) fn start(transport: &InMemory) -> Self {
        Self {
            server_before: transport.server_time(),
            started: Instant::now(),
        }
    }

    /// Stops the timer and subtracts the server's time.
    pub(super) fn stop(&self, transport: &InMemory) -> Reading {
        let elapsed = self.started.elapsed();
        let by_server = transport.server_time().saturating_sub(self.server_before);
        Reading {
            client: elapsed.saturating_sub(by_server),
            server: transport.server_time(),
            bytes_in: transport.bytes_in(),
            bytes_out: transport.bytes_out(),
        }
    }
}
