//! What every store here can do, and how one is made.

use std::fmt;
use std::sync::Arc;

use pki_types::ServerName;
use rustls::client::Tls13ClientSessionValue;
use store_core::{Limits, Timestamp};

use crate::stores::{HyperOpenssl, Lru, Moka, QuickCache, RustlsMemory, RustlsPattern, TlsResume};

/// A client's session store as a client uses it: single-use tickets of a server by name, and the
/// key-exchange group that the server chose last.
pub trait Peer<V>: Send + Sync {
    /// Stores a ticket. `expires` is when the server forgets it, `weight` what it occupies, in
    /// bytes.
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        now: Timestamp,
    );

    /// The ticket that a connection to `server` offers, which is gone from the store. Nothing
    /// where there is none, or where what the store gives has expired: a TLS library drops that.
    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V>;

    /// Remembers the group that the server chose.
    fn set_hint(&self, server: &ServerName<'static>, group: u16);

    /// The group that the server chose last, if that is remembered.
    fn hint(&self, server: &ServerName<'static>) -> Option<u16>;
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// The store of this project.
    TlsResume,
    /// `rustls::client::ClientSessionMemoryCache` of rustls 0.23.
    RustlsMemory,
    /// The pattern of hyper-openssl 0.10's private cache.
    HyperOpenssl,
    /// A `Mutex` around an `LruCache` of the `lru` crate.
    Lru,
    /// `quick_cache` 0.7.
    QuickCache,
    /// moka 0.12.
    Moka,
}

impl Name {
    /// All of them, ours first.
    pub const ALL: [Self; 6] = [
        Self::TlsResume,
        Self::RustlsMemory,
        Self::HyperOpenssl,
        Self::Lru,
        Self::QuickCache,
        Self::Moka,
    ];

    /// As the report has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TlsResume => "tls-resume",
            Self::RustlsMemory => "rustls-memory",
            Self::HyperOpenssl => "hyper-openssl",
            Self::Lru => "lru",
            Self::QuickCache => "quick_cache",
            Self::Moka => "moka",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much a store may hold. Each store takes from it what it can bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Servers: tls-resume, rustls-memory and lru.
    pub servers: usize,
    /// Tickets of one server: all but rustls-memory, which has 8, and hyper-openssl, which has no
    /// bound.
    pub tickets_per_server: usize,
    /// Bytes of all tickets together: tls-resume, `quick_cache` and moka.
    pub bytes: usize,
    /// Whether `quick_cache` and moka are told of the lower weight after each take, at the price of
    /// a second look-up. Without it, they learn it at the server's next put.
    pub exact: bool,
}

impl Default for Room {
    /// The default limits of our store.
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            servers: limits.servers,
            tickets_per_server: limits.sessions_per_server,
            bytes: limits.total_bytes,
            exact: false,
        }
    }
}

/// A store for the tickets of rustls; `rustls-memory` is the real one.
pub fn real(name: Name, room: &Room) -> Arc<dyn Peer<Tls13ClientSessionValue>> {
    match name {
        Name::RustlsMemory => Arc::new(RustlsMemory::new(room)),
        other => simulated(other, room),
    }
}

/// A store for values of any type; `rustls-memory` is the re-creation of it, [`RustlsPattern`].
pub fn simulated<V: Send + Sync + 'static>(name: Name, room: &Room) -> Arc<dyn Peer<V>> {
    match name {
        Name::TlsResume => Arc::new(TlsResume::new(room)),
        Name::RustlsMemory => Arc::new(RustlsPattern::new(room.servers)),
        Name::HyperOpenssl => Arc::new(HyperOpenssl::new()),
        Name::Lru => Arc::new(Lru::new(room)),
        Name::QuickCache => Arc::new(QuickCache::new(room)),
        Name::Moka => Arc::new(Moka::new(room)),
    }
}
