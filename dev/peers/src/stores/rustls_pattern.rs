//! rustls's own cache, re-created for values of any type.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use super::rustls_store::TICKETS_PER_SERVER;
use crate::Peer;

/// A re-creation of rustls 0.23's `ClientSessionMemoryCache` for values of any type: 8 tickets per
/// server, the newest first; servers are evicted in insertion order, however much they are used.
/// The tests compare it with the original.
///
/// Expired tickets are dropped when taken, as rustls does.
pub struct RustlsPattern<V> {
    inner: Mutex<Inner<V>>,
    max_servers: usize,
}

struct Inner<V> {
    servers: HashMap<ServerName<'static>, Server<V>>,
    order: VecDeque<ServerName<'static>>,
}

struct Server<V> {
    hint: Option<u16>,
    tickets: VecDeque<(V, Timestamp)>,
}

impl<V> RustlsPattern<V> {
    /// An empty cache for `servers` servers, allocated at once.
    pub fn new(servers: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                servers: HashMap::with_capacity(servers),
                order: VecDeque::with_capacity(servers),
            }),
            max_servers: servers,
        }
    }

    fn change(&self, server: ServerName<'static>, change: impl FnOnce(&mut Server<V>)) {
        let mut inner = lock(&self.inner);
        let Inner { servers, order } = &mut *inner;
        change(servers.entry(server).or_insert_with_key(|server| {
            order.push_back(server.clone());
            Server {
                hint: None,
                tickets: VecDeque::with_capacity(TICKETS_PER_SERVER),
            }
        }));
        if order.len() > self.max_servers
            && let Some(first) = order.pop_front()
        {
            servers.remove(&first);
        }
    }
}

impl<V: Send> Peer<V> for RustlsPattern<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        _weight: usize,
        _now: Timestamp,
    ) {
        // Two clones of the name as in the original: the caller's, and the cache's.
        let owned = server.clone();
        self.change(owned.clone(), |server| {
            if server.tickets.len() == TICKETS_PER_SERVER {
                server.tickets.pop_front();
            }
            server.tickets.push_back((value, expires));
        });
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let (value, expires) = lock(&self.inner)
            .servers
            .get_mut(server)?
            .tickets
            .pop_back()?;
        (expires > now).then_some(value)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        self.change(server.clone(), |server| server.hint = Some(group));
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        lock(&self.inner).servers.get(server)?.hint
    }
}
