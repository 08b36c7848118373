//! The store of this project, called as by the shared handle of `backend-rustls`.

use std::net::IpAddr;

use pki_types::ServerName;
use store_core::{
    Entry, HostRef, KeyRef, Limits, SecurityDomain, SessionStore, Stats, Storable, Timestamp,
    Usage, Want,
};

use crate::{Capacity, Peer};

/// `store_core::SessionStore`.
///
/// Keys borrow from server names, as in the shared handle of `backend-rustls`.
pub struct TlsResume<V> {
    store: SessionStore<SingleUse<V>>,
    domain: SecurityDomain,
}

/// A single-use session, which is never copied.
///
/// `backend-rustls` stores tickets behind a pointer, too: the allocation at a put, and its end at a
/// take, are part of what the product's operations cost.
struct SingleUse<V>(Box<V>);

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
    /// Panics if the capacity exceeds what [`Limits`] allow.
    pub fn new(capacity: &Capacity) -> Self {
        let limits = Limits::default();
        let server_bytes = limits.server_bytes.min(capacity.bytes);
        let session_bytes = limits.session_bytes.min(server_bytes);
        Self::with_limits(
            limits
                .with_servers(capacity.servers)
                .with_sessions_per_server(capacity.tickets_per_server)
                .with_bytes(session_bytes, server_bytes, capacity.bytes),
        )
    }

    /// An empty store with these limits.
    ///
    /// # Panics
    ///
    /// Panics if the limits contradict each other.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            store: SessionStore::new(limits).expect("valid limits"),
            domain: SecurityDomain::builder("peers").finish(),
        }
    }

    /// The store's counters.
    pub fn stats(&self) -> Stats {
        self.store.stats()
    }

    /// Runs one sweep step, which frees some expired sessions.
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
            session: SingleUse(Box::new(value)),
            usage: Usage::SingleUse,
            established: now,
            expires,
            weight,
            ticket_bytes: 0,
            address: None,
        };
        let generation = self.store.generation();
        // The store counts refusals.
        let _ = self.store.put(self.key(server), entry, generation, now);
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let offer = self
            .store
            .offer(self.key(server), Want::SingleUse, now, |_| true)?;
        Some(*offer.entry.session.0)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        self.store.set_hint(self.key(server), group);
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        self.store.hint(self.key(server))
    }
}
