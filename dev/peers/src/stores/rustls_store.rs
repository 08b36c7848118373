//! Any `ClientSessionStore`, and rustls's own cache.

use pki_types::ServerName;
use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls13ClientSessionValue};
use store_core::Timestamp;

use crate::{Capacity, Peer};

/// Tickets of a server in rustls 0.23's cache.
pub(super) const TICKETS_PER_SERVER: usize = 8;

/// A `ClientSessionStore`, which holds rustls's tickets only.
///
/// That trait takes an owned name at each put and each hint. It is cloned here, as rustls clones it
/// before it calls a store.
pub struct RustlsStore<S>(pub S);

/// `rustls::client::ClientSessionMemoryCache`.
pub type RustlsMemory = RustlsStore<ClientSessionMemoryCache>;

impl RustlsMemory {
    /// An empty cache for `capacity.servers` servers.
    pub fn new(capacity: &Capacity) -> Self {
        let sessions = capacity.servers.saturating_mul(TICKETS_PER_SERVER);
        Self(ClientSessionMemoryCache::new(sessions))
    }
}

impl<S: ClientSessionStore> Peer<Tls13ClientSessionValue> for RustlsStore<S> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: Tls13ClientSessionValue,
        _expires: Timestamp,
        _weight: usize,
        _now: Timestamp,
    ) {
        self.0.insert_tls13_ticket(server.clone(), value);
    }

    /// Returns expired tickets, too: rustls checks the expiry after it took the ticket.
    fn take(
        &self,
        server: &ServerName<'static>,
        _now: Timestamp,
    ) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        self.0.set_kx_hint(server.clone(), NamedGroup::from(group));
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        self.0.kx_hint(server).map(u16::from)
    }
}
