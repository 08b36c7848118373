//! The interface of the compared stores, and their constructors.

use std::fmt;
use std::sync::Arc;

use pki_types::ServerName;
use rustls::client::Tls13ClientSessionValue;
use store_core::{Limits, Timestamp};

use crate::stores::{HyperOpenssl, Lru, Moka, QuickCache, RustlsMemory, RustlsPattern, TlsResume};

/// A client's session store: single-use tickets by server name, and the key-exchange group that
/// each server chose last.
pub trait Peer<V>: Send + Sync {
    /// Stores a ticket that the server accepts until `expires`. `weight` is its size in bytes.
    fn put(
        &self,
        server: &ServerName<'static>,
        value: V,
        expires: Timestamp,
        weight: usize,
        now: Timestamp,
    );

    /// Removes a ticket to offer to `server`. `None` if there is none, or if the one removed has
    /// expired: a TLS library would drop it.
    fn take(&self, server: &ServerName<'static>, now: Timestamp) -> Option<V>;

    /// Stores the group that the server chose.
    fn set_hint(&self, server: &ServerName<'static>, group: u16);

    /// The group that the server chose last, if known.
    fn hint(&self, server: &ServerName<'static>) -> Option<u16>;
}

/// The stores of this package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreKind {
    /// The store of this project.
    TlsResume,
    /// `rustls::client::ClientSessionMemoryCache` of rustls 0.23.
    RustlsMemory,
    /// A re-creation of hyper-openssl 0.10's private cache.
    HyperOpenssl,
    /// A `Mutex` around an `LruCache` of the `lru` crate.
    Lru,
    /// `quick_cache` 0.7.
    QuickCache,
    /// moka 0.12.
    Moka,
}

impl StoreKind {
    /// All of them, ours first.
    pub const ALL: [Self; 6] = [
        Self::TlsResume,
        Self::RustlsMemory,
        Self::HyperOpenssl,
        Self::Lru,
        Self::QuickCache,
        Self::Moka,
    ];

    /// The store's name in the report.
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

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Limits of a store. Each store obeys those that it supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Servers. Obeyed by tls-resume, rustls-memory and lru.
    pub servers: usize,
    /// Tickets of one server. Obeyed by all but rustls-memory (always 8) and hyper-openssl (no
    /// limit).
    pub tickets_per_server: usize,
    /// Bytes of all tickets. Obeyed by tls-resume, `quick_cache` and moka.
    pub bytes: usize,
    /// Whether each take updates the server's weight in `quick_cache` and moka, which costs a
    /// second look-up. Otherwise the server's next put does.
    pub exact: bool,
}

impl Default for Capacity {
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

/// Creates a store for rustls's tickets; `rustls-memory` is rustls's own code.
pub fn real(kind: StoreKind, capacity: &Capacity) -> Arc<dyn Peer<Tls13ClientSessionValue>> {
    match kind {
        StoreKind::RustlsMemory => Arc::new(RustlsMemory::new(capacity)),
        other => simulated(other, capacity),
    }
}

/// Creates a store for values of any type; `rustls-memory` is its re-creation, [`RustlsPattern`].
pub fn simulated<V: Send + Sync + 'static>(
    kind: StoreKind,
    capacity: &Capacity,
) -> Arc<dyn Peer<V>> {
    match kind {
        StoreKind::TlsResume => Arc::new(TlsResume::new(capacity)),
        StoreKind::RustlsMemory => Arc::new(RustlsPattern::new(capacity.servers)),
        StoreKind::HyperOpenssl => Arc::new(HyperOpenssl::new()),
        StoreKind::Lru => Arc::new(Lru::new(capacity)),
        StoreKind::QuickCache => Arc::new(QuickCache::new(capacity)),
        StoreKind::Moka => Arc::new(Moka::new(capacity)),
    }
}
