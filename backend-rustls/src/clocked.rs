//! A store with the clock that tells it the time.

use std::fmt;
use std::sync::Arc;

use store_core::{Clock, SessionStore, Storable, Timestamp};

/// A store and a clock, as all handles of one `Sessions` hold them. Cloning gives the same two.
pub(crate) struct Clocked<S> {
    store: Arc<SessionStore<S>>,
    clock: Arc<dyn Clock>,
}

impl<S: Storable> Clocked<S> {
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

impl<S> Clone for Clocked<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<S: Storable> fmt::Debug for Clocked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clocked")
            .field("store", &self.store)
            .field("clock", &self.clock)
            .finish()
    }
}
