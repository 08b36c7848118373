//! A cache that evicts by the rules of W-`TinyLFU`, with a map that does not lock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::moka::Expiry;
use ::moka::sync::Cache;
use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use super::queue::Queue;
use crate::{Peer, Room};

/// `moka::sync::Cache` with a queue a server, weighed by the bytes of the tickets. A server expires
/// with its last ticket.
///
/// A value must be `Clone`, and tickets are not: hence the `Arc`. moka reads its own clock.
pub struct Moka<V: Send + Sync + 'static> {
    servers: Cache<ServerName<'static>, Slot<V>>,
    most: usize,
    exact: bool,
}

struct Slot<V> {
    queue: Arc<Mutex<Queue<V>>>,
    // As of the last time that moka was given the slot.
    bytes: u32,
    lives: Option<Duration>,
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            ..*self
        }
    }
}

struct WithTheLastTicket;

impl<V> Expiry<ServerName<'static>, Slot<V>> for WithTheLastTicket {
    fn expire_after_create(
        &self,
        _: &ServerName<'static>,
        slot: &Slot<V>,
        _: Instant,
    ) -> Option<Duration> {
        slot.lives
    }

    fn expire_after_update(
        &self,
        _: &ServerName<'static>,
        slot: &Slot<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        slot.lives
    }
}

impl<V: Send + Sync + 'static> Moka<V> {
    /// An empty cache.
    pub fn new(room: &Room) -> Self {
        Self {
            servers: Cache::builder()
                .max_capacity(room.bytes as u64)
                .weigher(|server: &ServerName<'static>, slot: &Slot<V>| {
                    let name = u32::try_from(server.to_str().len()).unwrap_or(u32::MAX);
                    slot.bytes.saturating_add(name)
                })
                .expire_after(WithTheLastTicket)
                .build(),
            most: room.tickets_per_server,
            exact: room.exact,
        }
    }

    /// Changes the queue where it is, and gives it to moka again, which weighs at no other time.
    fn change(
        &self,
        server: &ServerName<'static>,
        now: Option<Timestamp>,
        change: impl FnOnce(&mut Queue<V>),
    ) {
        let slot = self.servers.get(server);
        let lives = slot.as_ref().and_then(|slot| slot.lives);
        let queue = slot.map_or_else(Arc::default, |slot| slot.queue);
        let (bytes, lives) = {
            let mut queue = lock(&queue);
            change(&mut queue);
            let left = |now| queue.expires()?.since(now);
            (queue.bytes(), now.map_or(lives, left))
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let slot = Slot {
            queue,
            bytes,
            lives,
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
            queue.push(value, expires, weight, self.most);
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
