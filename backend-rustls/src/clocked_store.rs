//! A store with its clock.

use std::fmt;
use std::sync::Arc;

use store_core::{Clock, SessionStore, Storable, Timestamp};

/// A store and its clock. All handles of one `Sessions` share them.
pub(crate) struct ClockedStore<S> {
    store: Arc<SessionStore<S>>,
    clock: Arc<dyn Clock>,
}

impl<S: Storable> ClockedStore<S> {
    pub(crate) fn new(store: Arc<SessionStore<S>>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    pub(crate) fn store(&self) -> &SessionStore<S> {
        &self.store
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl<S> Clone for ClockedStore<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<S: Storable> fmt::Debug for ClockedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockedStore")
            .field("store", &self.store)
            .field("clock", &self.clock)
            .finish()
    }
}
