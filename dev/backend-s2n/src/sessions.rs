//! The session store of s2n-tls clients.

use std::fmt;
use std::sync::Arc;

use store_core::{Clock, Limits, LimitsError, SessionStore, SystemClock, Timestamp};

use crate::clock::{SteadyClock, now};
use crate::session::Session;

/// A session store for s2n-tls clients, with its clock. Cloning is cheap: all clones share one store.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<SessionStore<Session>>,
    clock: Arc<dyn Clock>,
    steady_clock: Arc<SteadyClock>,
}

impl Sessions {
    /// Creates an empty store in memory, on the system's clock.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Ok(Self::over(
            Arc::new(SessionStore::new(limits)?),
            Arc::new(SystemClock),
        ))
    }

    /// Uses an existing store, such as the memory of a store with a tier.
    ///
    /// s2n-tls has one clock for everything: configurations made by [`attach`](Self::attach) also
    /// check the validity of certificates by `clock`.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        let steady_clock = Arc::new(SteadyClock::new(Arc::clone(&clock)));
        Self {
            store,
            clock,
            steady_clock,
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<SessionStore<Session>> {
        &self.store
    }

    /// The time. `None` if the clock panics, which is a miss.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        now(&*self.clock)
    }

    /// The time that s2n-tls sees.
    pub(crate) fn steady_now(&self) -> Timestamp {
        self.steady_clock.now()
    }

    pub(crate) fn steady_clock(&self) -> &Arc<SteadyClock> {
        &self.steady_clock
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
