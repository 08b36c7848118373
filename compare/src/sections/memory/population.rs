//! The servers that fill a store.

use lab::server::Protocol;

/// Servers, and the sessions that they issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// The version of TLS.
    pub protocol: Protocol,
    /// Servers.
    pub servers: usize,
    /// Full handshakes with each server.
    pub handshakes: usize,
    /// Tickets from each handshake.
    pub tickets: usize,
}

impl Population {
    pub(super) fn with_servers(self, servers: usize) -> Self {
        Self { servers, ..self }
    }

    /// Sessions that a store keeps of one server. With TLS 1.2 it is one, however many are issued.
    pub fn sessions_per_server(&self) -> usize {
        match self.protocol {
            Protocol::Tls12 => 1,
            Protocol::Tls13 => self.handshakes * self.tickets,
        }
    }

    /// Sessions that a store keeps of all servers.
    pub fn sessions(&self) -> usize {
        self.servers * self.sessions_per_server()
    }
}
