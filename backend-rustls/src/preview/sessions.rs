//! The session store of rustls 0.24 preview clients, and its handles.

use std::sync::Arc;

use store_core::{Clock, Limits, LimitsError, ReuseTickets, SessionKey, SessionStore, SystemClock};

use super::connection::Connection;
use super::session::Session;
use crate::clocked_store::ClockedStore;

/// A session store for clients of this rustls, with its clock. Cloning is cheap: all clones share one
/// store.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: ClockedStore<Session>,
    reuse_tickets: ReuseTickets,
}

impl Sessions {
    /// Creates an empty store on the system's clock.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Self::with_clock(limits, Arc::new(SystemClock))
    }

    /// Creates an empty store on the given clock.
    pub fn with_clock(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, LimitsError> {
        Ok(Self::over(Arc::new(SessionStore::new(limits)?), clock))
    }

    /// Uses an existing store, such as the memory of a store with a tier. `clock` must be the one
    /// that all users of this store share.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store: ClockedStore::new(store, clock),
            reuse_tickets: ReuseTickets::default(),
        }
    }

    /// Sets whether TLS 1.3 tickets that new connections receive are offered more than once.
    /// Configurations that differ in it need keys of different domains.
    #[must_use]
    pub fn with_reuse_tickets(self, reuse_tickets: ReuseTickets) -> Self {
        Self {
            reuse_tickets,
            ..self
        }
    }

    /// The store.
    pub fn store(&self) -> &SessionStore<Session> {
        self.store.store()
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.store.clock()
    }

    /// Creates the handle of one connection to the server `key`. Create it when the connection begins:
    /// sessions received after a later `clear` are not stored.
    ///
    /// Configurations that differ in what they trust need keys of different domains: nothing else
    /// separates them ([`preview`](super)). The connection's look-up also frees some expired
    /// sessions, in one bounded step.
    pub fn connection(&self, key: SessionKey) -> Arc<Connection> {
        let store = self.store.clone();
        Arc::new(Connection::new(store, self.reuse_tickets, key))
    }
}
