//! The connector's methods about a tier.

use std::time::Duration;

use store_core::SessionKey;
use store_tiers::{Fetch, SharedStore, TierStats};

use super::Connector;
use crate::Backend;
use crate::backend::Shareable;
use crate::host::Host;

impl<B: Backend> Connector<B> {
    /// Starts to fetch a session from the tier for a connection that is about to be made.
    /// Connections that keep a session, and their kin, use none of it.
    pub(crate) fn fetch(&self, key: Option<&SessionKey>) -> Option<Fetch> {
        if self.kin.is_some() || self.scope.keeps_session {
            return None;
        }
        let shared = self.inner.opened.store.shared.as_ref()?;
        Some((shared.fetch)(&shared.store, key?.as_key()))
    }

    pub(super) fn wait_for(&self, fetch: Option<Fetch>) {
        if let Some(fetch) = fetch {
            fetch.wait(self.inner.settings.store_timeout());
        }
    }
}

impl<B: Shareable> Connector<B> {
    /// Fetches a session of this server from the tier if memory has none, and waits for it, for the
    /// [store timeout](crate::generic::ConnectorBuilder::store_timeout) at most. Without a tier it
    /// does nothing.
    ///
    /// Call it before the transport of [`connect_stream`](Self::connect_stream) is connected.
    /// `connect_stream` does the same before its handshake, but then the server waits meanwhile.
    pub fn prefetch(&self, host: &str, port: u16) {
        self.wait_for(self.fetch_to(host, port));
    }

    pub(crate) fn fetch_to(&self, host: &str, port: u16) -> Option<Fetch> {
        let host = Host::parse(host).ok()?;
        self.fetch(self.session_key(&self.configured(), &host, port).as_ref())
    }

    /// Loads up to `max` sessions from an `lmdb:` store into memory, those that expire last first,
    /// and waits for at most `timeout`: for a process that starts and is the only user of the
    /// store. Returns whether loading finished. From Redis, it loads none.
    pub fn load(&self, max: usize, timeout: Duration) -> bool {
        let domain = &self.security_domain();
        let shared = self.shared();
        shared.is_some_and(|store| store.load(domain, max, timeout))
    }

    /// Writes the sessions in memory to the tier, and waits for at most `timeout`: for a process
    /// that ends without dropping its connector. Returns whether all were written; false without a
    /// tier.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.shared().is_some_and(|store| store.flush(timeout))
    }

    pub(crate) fn shared(&self) -> Option<&SharedStore<B::Session>> {
        let shared = self.inner.opened.store.shared.as_ref()?;
        Some(&shared.store)
    }

    /// What the tier has counted; `None` if the store is in memory alone.
    pub fn tier_stats(&self) -> Option<TierStats> {
        self.shared().map(SharedStore::tier_stats)
    }
}
