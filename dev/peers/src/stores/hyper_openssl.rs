//! A re-creation of hyper-openssl's cache, which is private to that crate.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use pki_types::ServerName;
use store_core::Timestamp;

use super::lock;
use crate::Peer;

/// A re-creation of hyper-openssl 0.10's `SessionCache`: sessions by server in insertion order,
/// servers by session id, one lock, no limit, the oldest session first.
///
/// In the original a callback removes sessions that OpenSSL finds expired; here they are dropped
/// when taken. The original stores no hints: they are in a third map, so that it does the same work
/// as the other stores.
pub struct HyperOpenssl<V>(Mutex<Inner<V>>);

/// OpenSSL's session id.
type Id = [u8; 32];

struct Inner<V> {
    sessions: HashMap<ServerName<'static>, VecDeque<Session<V>>>,
    servers: HashMap<Id, ServerName<'static>>,
    hints: HashMap<ServerName<'static>, u16>,
    last_id: u64,
}

struct Session<V> {
    id: Id,
    value: V,
    expires: Timestamp,
}

impl<V> HyperOpenssl<V> {
    /// An empty cache.
    pub fn new() -> Self {
        Self(Mutex::new(Inner {
            sessions: HashMap::new(),
            servers: HashMap::new(),
            hints: HashMap::new(),
            last_id: 0,
        }))
    }
}

impl<V> Default for HyperOpenssl<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Send> Peer<V> for HyperOpenssl<V> {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        _weight: usize,
        _now: Timestamp,
    ) {
        let mut inner = lock(&self.0);
        // OpenSSL's ids are random; here a counter makes them unique.
        inner.last_id += 1;
        let mut id = Id::default();
        id[..8].copy_from_slice(&inner.last_id.to_le_bytes());
        inner
            .sessions
            .entry(server.clone())
            .or_default()
            .push_back(Session { id, value, expires });
        inner.servers.insert(id, server.clone());
    }

    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V> {
        let mut inner = lock(&self.0);
        let sessions = inner.sessions.get_mut(server)?;
        let session = sessions.pop_front()?;
        if sessions.is_empty() {
            inner.sessions.remove(server);
        }
        inner.servers.remove(&session.id);
        drop(inner);
        (session.expires > now).then_some(session.value)
    }

    fn set_hint(&self, server: &ServerName<'static>, group: u16) {
        lock(&self.0).hints.insert(server.clone(), group);
    }

    fn hint(&self, server: &ServerName<'static>) -> Option<u16> {
        lock(&self.0).hints.get(server).copied()
    }
}
