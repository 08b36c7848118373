//! The simplest bounded store: an LRU map behind a lock.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use ::lru::LruCache;
use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use super::queue::Queue;
use crate::{Capacity, Peer};

/// `Mutex<LruCache<ServerName, _>>` of the `lru` crate with a queue per server. Limited by servers
/// and by tickets of a server, not by bytes: the crate has no weights.
pub struct Lru<V> {
    servers: Mutex<LruCache<ServerName<'static>, Queue<V>>>,
    max_tickets: usize,
}

impl<V> Lru<V> {
    /// An empty cache.
    pub fn new(capacity: &Capacity) -> Self {
        let servers = NonZeroUsize::new(capacity.servers).unwrap_or(NonZeroUsize::MIN);
        Self {
            servers: Mutex::new(LruCache::new(servers)),
            max_tickets: capacity.tickets_per_server,
        }
    }
}

impl<V: Send> Peer<V> for Lru<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        _now: Timestamp,
    ) {
        lock(&self.servers)
            .get_or_insert_mut_ref(server, Queue::default)
            .push(value, expires, weight, self.max_tickets);
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        lock(&self.servers).get_mut(server)?.pop(now)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        lock(&self.servers)
            .get_or_insert_mut_ref(server, Queue::default)
            .hint = Some(group);
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        lock(&self.servers).get(server)?.hint
    }
}
