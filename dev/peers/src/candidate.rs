//! What is measured with real tickets: the stores of this package, and any other.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::client::Tls13ClientSessionValue;

use crate::{Name, Peer, Room, real};

type Tickets = Arc<dyn Peer<Tls13ClientSessionValue>>;

/// A store for the tickets of rustls, not made yet. Two are the same if their names are.
#[derive(Clone)]
pub struct Candidate(Which);

#[derive(Clone)]
enum Which {
    Known(Name),
    Own {
        name: Arc<str>,
        make: Arc<dyn Fn() -> Tickets + Send + Sync>,
    },
}

impl Candidate {
    /// A store that is not of this package. How much it may hold is for `make` to say: where it
    /// drops a ticket of one of the servers that it is measured with, it has no rows.
    pub fn own<P>(name: &str, make: impl Fn() -> P + Send + Sync + 'static) -> Self
    where
        P: Peer<Tls13ClientSessionValue> + 'static,
    {
        Self(Which::Own {
            name: name.into(),
            make: Arc::new(move || Arc::new(make())),
        })
    }

    /// All of this package.
    pub fn known() -> Vec<Self> {
        Name::ALL.map(Self::from).into()
    }

    /// As the report has it.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Which::Known(name) => name.as_str(),
            Which::Own { name, .. } => name,
        }
    }

    /// An empty one. What is not of this package makes as much room as it likes.
    pub(crate) fn make(&self, room: &Room) -> Tickets {
        match &self.0 {
            Which::Known(name) => real(*name, room),
            Which::Own { make, .. } => make(),
        }
    }

    /// Whether it can be made so small that it is full.
    pub(crate) fn has_room(&self) -> bool {
        match self.0 {
            Which::Known(name) => name != Name::HyperOpenssl,
            Which::Own { .. } => false,
        }
    }
}

impl From<Name> for Candidate {
    fn from(name: Name) -> Self {
        Self(Which::Known(name))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Candidate {}

impl Hash for Candidate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Candidate").field(&self.as_str()).finish()
    }
}
