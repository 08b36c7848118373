//! Stores for rustls's tickets, created when they are measured.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::client::Tls13ClientSessionValue;

use crate::{Capacity, Peer, StoreKind, real};

type TicketStore = Arc<dyn Peer<Tls13ClientSessionValue>>;

/// Creates empty stores for rustls's tickets. Factories are equal if their names are.
#[derive(Clone)]
pub struct StoreFactory(Source);

#[derive(Clone)]
enum Source {
    BuiltIn(StoreKind),
    Custom {
        name: Arc<str>,
        create: Arc<dyn Fn() -> TicketStore + Send + Sync>,
    },
}

impl StoreFactory {
    /// A store from outside this package. `create` chooses its capacity. A store that drops tickets
    /// during a measurement gets no rows.
    pub fn custom<P>(name: &str, create: impl Fn() -> P + Send + Sync + 'static) -> Self
    where
        P: Peer<Tls13ClientSessionValue> + 'static,
    {
        Self(Source::Custom {
            name: name.into(),
            create: Arc::new(move || Arc::new(create())),
        })
    }

    /// The factories of every [`StoreKind`].
    pub fn built_in() -> Vec<Self> {
        StoreKind::ALL.map(Self::from).into()
    }

    /// The store's name in the report.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Source::BuiltIn(kind) => kind.as_str(),
            Source::Custom { name, .. } => name,
        }
    }

    /// Creates an empty store. Custom stores ignore `capacity`.
    pub(crate) fn create(&self, capacity: &Capacity) -> TicketStore {
        match &self.0 {
            Source::BuiltIn(kind) => real(*kind, capacity),
            Source::Custom { create, .. } => create(),
        }
    }

    /// Whether the store obeys a [`Capacity`], so that it can be filled up.
    pub(crate) fn is_bounded(&self) -> bool {
        match self.0 {
            Source::BuiltIn(kind) => kind != StoreKind::HyperOpenssl,
            Source::Custom { .. } => false,
        }
    }
}

impl From<StoreKind> for StoreFactory {
    fn from(kind: StoreKind) -> Self {
        Self(Source::BuiltIn(kind))
    }
}

impl PartialEq for StoreFactory {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for StoreFactory {}

impl Hash for StoreFactory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for StoreFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for StoreFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreFactory").field(&self.as_str()).finish()
    }
}
