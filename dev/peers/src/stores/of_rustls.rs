//! Any store that rustls can use, and the cache that comes with it.

use pki_types::ServerName;
use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls13ClientSessionValue};
use store_core::Timestamp;

use crate::{Peer, Room};

/// Tickets that rustls 0.23 keeps for a server.
pub(super) const TICKETS_A_SERVER: usize = 8;

/// A store behind rustls's own trait, for the tickets of rustls only.
///
/// That trait wants a name of its own at each put and each hint. The clone is made here, as rustls
/// makes it before it calls any store.
pub struct OfRustls<S>(pub S);

/// `rustls::client::ClientSessionMemoryCache`.
pub type RustlsMemory = OfRustls<ClientSessionMemoryCache>;

impl RustlsMemory {
    /// An empty cache for as many servers as there is room for.
    pub fn new(room: &Room) -> Self {
        let sessions = room.servers.saturating_mul(TICKETS_A_SERVER);
        Self(ClientSessionMemoryCache::new(sessions))
    }
}

impl<S: ClientSessionStore> Peer<Tls13ClientSessionValue> for OfRustls<S> {
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

    /// Also what has expired: rustls finds that out after it took the ticket.
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
