//! moka: a cache with W-`TinyLFU` eviction and a lock-free map.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::moka::Expiry;
use ::moka::sync::Cache;
use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use super::queue::Queue;
use crate::{Capacity, Peer};

/// `moka::sync::Cache` with a queue per server, weighed by the bytes of the tickets. A server
/// expires with its last ticket.
///
/// Values must be `Clone`, which tickets are not: hence the `Arc`. moka reads its own clock.
pub struct Moka<V: Send + Sync + 'static> {
    servers: Cache<ServerName<'static>, Slot<V>>,
    max_tickets: usize,
    exact: bool,
}

struct Slot<V> {
    queue: Arc<Mutex<Queue<V>>>,
    // Both as of the last insert into moka.
    bytes: u32,
    time_to_live: Option<Duration>,
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            ..*self
        }
    }
}

struct ExpireWithLastTicket;

impl<V> Expiry<ServerName<'static>, Slot<V>> for ExpireWithLastTicket {
    fn expire_after_create(
        &self,
        _: &ServerName<'static>,
        slot: &Slot<V>,
        _: Instant,
    ) -> Option<Duration> {
        slot.time_to_live
    }

    fn expire_after_update(
        &self,
        _: &ServerName<'static>,
        slot: &Slot<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        slot.time_to_live
    }
}

impl<V: Send + Sync + 'static> Moka<V> {
    /// An empty cache.
    pub fn new(capacity: &Capacity) -> Self {
        Self {
            servers: Cache::builder()
                .max_capacity(capacity.bytes as u64)
                .weigher(|server: &ServerName<'static>, slot: &Slot<V>| {
                    let name = u32::try_from(server.to_str().len()).unwrap_or(u32::MAX);
                    slot.bytes.saturating_add(name)
                })
                .expire_after(ExpireWithLastTicket)
                .build(),
            max_tickets: capacity.tickets_per_server,
            exact: capacity.exact,
        }
    }

    /// Changes the queue in place and inserts it again: moka weighs values only at insertion.
    fn change(
        &self,
        server: &ServerName<'static>,
        now: Option<Timestamp>,
        change: impl FnOnce(&mut Queue<V>),
    ) {
        let slot = self.servers.get(server);
        let time_to_live = slot.as_ref().and_then(|slot| slot.time_to_live);
        let queue = slot.map_or_else(Arc::default, |slot| slot.queue);
        let (bytes, time_to_live) = {
            let mut queue = lock(&queue);
            change(&mut queue);
            let time_left = |now| queue.expires()?.since(now);
            (queue.bytes(), now.map_or(time_to_live, time_left))
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let slot = Slot {
            queue,
            bytes,
            time_to_live,
        };
        self.servers.insert(server.clone(), slot);
    }
}

impl<V: Send + Sync + 'static> Peer<V> for Moka<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        now: Timestamp,
    ) {
        self.change(server, Some(now), |queue| {
            queue.push(value, expires, weight, self.max_tickets);
        });
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let slot = self.servers.get(server)?;
        let value = lock(&slot.queue).pop(now);
        if self.exact {
            self.change(server, None, |_| ());
        }
        value
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        match self.servers.get(server) {
            Some(slot) => lock(&slot.queue).hint = Some(group),
            None => self.change(server, None, |queue| queue.hint = Some(group)),
        }
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        let slot = self.servers.get(server)?;
        lock(&slot.queue).hint
    }
}
