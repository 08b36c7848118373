//! The store of this project, called as `backend-rustls` calls it for a client that is not ours.

use std::net::IpAddr;

use pki_types::ServerName;
use store_core::{
    Entry, HostRef, KeyRef, Limits, SecurityDomain, SessionStore, Stats, Storable, Timestamp, Usage,
};

use crate::{Peer, Room};

/// `store_core::SessionStore`.
///
/// Keys are borrowed from names, as the shared handle of `backend-rustls` does it.
pub struct TlsResume<V> {
    store: SessionStore<SingleUse<V>>,
    domain: SecurityDomain,
}

/// A session that is handed out once, so that it needs no copies.
struct SingleUse<V>(V);

impl<V> Storable for SingleUse<V> {
    fn duplicate(&self) -> Option<Self> {
        None
    }
}

impl<V> TlsResume<V> {
    /// An empty store.
    ///
    /// # Panics
    ///
    /// Panics if the room is larger than limits may be.
    pub fn new(room: &Room) -> Self {
        let limits = Limits::default();
        let a_server = limits.server_bytes.min(room.bytes);
        let a_session = limits.session_bytes.min(a_server);
        Self::with_limits(
            limits
                .with_servers(room.servers)
                .with_sessions_per_server(room.tickets_per_server)
                .with_bytes(a_session, a_server, room.bytes),
        )
    }

    /// The same within the store's own limits.
    ///
    /// # Panics
    ///
    /// Panics if the limits contradict each other.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            store: SessionStore::new(limits).expect("limits that agree with each other"),
            domain: SecurityDomain::builder("peers").finish(),
        }
    }

    /// What the store counted.
    pub fn stats(&self) -> Stats {
        self.store.stats()
    }

    /// Frees some expired sessions.
    pub fn sweep(&self, now: Timestamp) {
        self.store.sweep(now);
    }

    fn key<'k>(&'k self, server: &'k ServerName<'static>) -> KeyRef<'k> {
        let host = match server {
            ServerName::DnsName(name) => HostRef::Name(name.as_ref()),
            ServerName::IpAddress(address) => HostRef::Address(IpAddr::from(*address)),
            _ => unreachable!("rustls 0.23 knows names and addresses"),
        };
        KeyRef::from_host(&self.domain, host)
    }
}

impl<V: Send + Sync> Peer<V> for TlsResume<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        now: Timestamp,
    ) {
        let entry = Entry {
            session: SingleUse(value),
            usage: Usage::SingleUse,
            established: now,
            expires,
            weight,
        };
        let begun = self.store.generation();
        // Refused is counted by the store.
        let _ = self.store.put(self.key(server), entry, begun, now);
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let offer = self.store.take(self.key(server), now)?;
        Some(offer.entry.session.0)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        self.store.set_hint(self.key(server), group);
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        self.store.hint(self.key(server))
    }
}
