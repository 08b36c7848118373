//! `quick_cache`: a sharded cache with Clock-PRO eviction.

use std::sync::{Arc, Mutex};

use ::quick_cache::sync::{Cache, EntryAction, EntryResult};
use ::quick_cache::{OptionsBuilder, Weighter};
use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use super::queue::Queue;
use crate::{Capacity, Peer};

/// `quick_cache::sync::Cache` with a queue per server, weighed by the bytes of the tickets.
///
/// Values must be `Clone`, which tickets are not: hence the `Arc`. A put changes the queue in place
/// under the shard's write lock; a take needs the read lock only.
pub struct QuickCache<V> {
    servers: Cache<ServerName<'static>, Slot<V>, ByBytes>,
    max_tickets: usize,
    exact: bool,
}

struct Slot<V> {
    queue: Arc<Mutex<Queue<V>>>,
    // The weight known to the cache, which asks for the old one at each change.
    bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl<V> Weighter<ServerName<'static>, Slot<V>> for ByBytes {
    fn weight(&self, server: &ServerName<'static>, slot: &Slot<V>) -> u64 {
        server.to_str().len() as u64 + slot.bytes
    }
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            bytes: self.bytes,
        }
    }
}

impl<V> QuickCache<V> {
    /// An empty cache.
    ///
    /// # Panics
    ///
    /// Panics if the cache rejects its own options.
    pub fn new(capacity: &Capacity) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity.servers)
            .weight_capacity(capacity.bytes as u64)
            .build()
            .expect("both capacities are set");
        Self {
            servers: Cache::with_options(
                options,
                ByBytes,
                ::quick_cache::DefaultHashBuilder::default(),
                ::quick_cache::sync::DefaultLifecycle::default(),
            ),
            max_tickets: capacity.tickets_per_server,
            exact: capacity.exact,
        }
    }

    fn change<T>(
        &self,
        server: &ServerName<'static>,
        change: impl FnOnce(&mut Queue<V>) -> T,
    ) -> T {
        let mut change = Some(change);
        let mut apply = |queue: &mut Queue<V>| change.take().map(|change| change(queue));
        let entry = self.servers.entry(server, None, |_, slot| {
            let mut queue = lock(&slot.queue);
            let result = apply(&mut queue);
            slot.bytes = queue.bytes() as u64;
            EntryAction::Retain(result)
        });
        let result = match entry {
            EntryResult::Retained(result) => result,
            EntryResult::Vacant(guard) => {
                let mut queue = Queue::default();
                let result = apply(&mut queue);
                let bytes = queue.bytes() as u64;
                let queue = Arc::new(Mutex::new(queue));
                // Fails only if the placeholder was invalidated meanwhile: then the ticket is lost.
                let _ = guard.insert(Slot { queue, bytes });
                result
            }
            _ => unreachable!("nothing is removed or replaced, and there is no time limit"),
        };
        result.expect("the closure ran in either case")
    }
}

impl<V: Send + Sync> Peer<V> for QuickCache<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        _now: Timestamp,
    ) {
        self.change(server, |queue| {
            queue.push(value, expires, weight, self.max_tickets);
        });
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let slot = self.servers.get(server)?;
        let value = lock(&slot.queue).pop(now);
        if self.exact {
            self.change(server, |_| ());
        }
        value
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        self.change(server, |queue| queue.hint = Some(group));
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        let slot = self.servers.get(server)?;
        lock(&slot.queue).hint
    }
}
