//! The client's clock.

use std::time::{Duration, Instant};

use lab::transport::InMemory;

/// Runs from when a connection is asked for.
pub(super) struct Clock {
    started: Instant,
    server_before: Duration,
}

/// What the clock shows.
pub(super) struct Reading {
    pub(super) client: Duration,
    pub(super) server: Duration,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Clock {
    /// Starts. The server's end of the connection exists already; it is not the client's work.
    pub(super) fn start(transport: &InMemory) -> Self {
        Self {
            server_before: transport.server_time(),
            started: Instant::now(),
        }
    }

    /// Stops, and takes the server's part out.
    pub(super) fn stop(&self, transport: &InMemory) -> Reading {
        let elapsed = self.started.elapsed();
        let meanwhile = transport.server_time().saturating_sub(self.server_before);
        Reading {
            client: elapsed.saturating_sub(meanwhile),
            server: transport.server_time(),
            bytes_in: transport.bytes_in(),
            bytes_out: transport.bytes_out(),
        }
    }
}
