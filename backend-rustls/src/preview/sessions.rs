//! The store for clients of the next rustls, and where its handles come from.

use std::sync::Arc;

use store_core::{Clock, Limits, LimitsError, SessionKey, SessionStore, SystemClock};

use super::{Connection, Session};
use crate::clocked::Clocked;

/// The store for clients of the next rustls. Cloning it is cheap and gives the same store.
#[derive(Clone, Debug)]
pub struct Sessions {
    inner: Clocked<Session>,
}

impl Sessions {
    /// An empty store within `limits`, on the machine's clock.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Self::with_clock(limits, Arc::new(SystemClock))
    }

    /// The same on another clock.
    pub fn with_clock(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, LimitsError> {
        Ok(Self::over(Arc::new(SessionStore::new(limits)?), clock))
    }

    /// Over a store that there is already, such as one that is shared beyond this process.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Clocked::new(store, clock),
        }
    }

    /// The store itself: to clear it, sweep it and see its counters. A [`Connection`] makes one
    /// look-up.
    pub fn store(&self) -> &SessionStore<Session> {
        self.inner.store()
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.inner.clock()
    }

    /// A handle for one connection, to the server `key`, that begins now.
    ///
    /// The key's domain must tell apart configs that do not trust the same: nothing else does
    /// ([`preview`](super)). Its look-up frees some expired sessions on the way, in one bounded step.
    pub fn connection(&self, key: SessionKey) -> Arc<Connection> {
        Arc::new(Connection::new(self.inner.clone(), key))
    }
}
