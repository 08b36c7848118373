//! The store for rustls clients, and where its handles come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store_core::{
    Clock, Limits, LimitsError, SecurityDomain, SessionKey, SessionStore, SystemClock,
};

use crate::clocked::Clocked;
use crate::{Connection, Session, SharedHandle};

/// The store for rustls clients. Cloning it is cheap and gives the same store.
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

    /// Over a store that there is already.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Clocked::new(store, clock),
        }
    }

    /// The store itself: to clear it, sweep it and see its counters.
    pub fn store(&self) -> &SessionStore<Session> {
        self.inner.store()
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.inner.clock()
    }

    /// A handle for one `ClientConfig`, and clones of it, in a security domain of its own.
    ///
    /// The domain is made of `name` and of a number that no other handle in this process has:
    /// rustls 0.23 resumes only under the same verifier and resolver `Arc`, and a ticket that it
    /// refuses for that reason is lost.
    pub fn shared_handle(&self, name: &str) -> SharedHandle {
        static HANDLES: AtomicU64 = AtomicU64::new(0);
        let handle = HANDLES.fetch_add(1, Ordering::Relaxed);
        let domain = SecurityDomain::builder("backend-rustls 0.23 shared 1")
            .field("name", name.as_bytes())
            .field("handle", &handle.to_be_bytes())
            .finish();
        self.shared_handle_in(domain)
    }

    /// The same in a domain that the caller shares on purpose, between configs that have the
    /// same verifier `Arc` and the same client-certificate resolver `Arc`.
    pub fn shared_handle_in(&self, domain: SecurityDomain) -> SharedHandle {
        SharedHandle::new(self.clone(), domain)
    }

    /// A handle for one connection, to the server `key`, that begins now.
    ///
    /// The key's domain must tell apart configs with different verifier or resolver `Arc`s, for
    /// the reason given at [`shared`](Self::shared). Its look-up frees some expired sessions on the
    /// way, in one bounded step.
    pub fn connection(&self, key: SessionKey) -> Arc<Connection> {
        Arc::new(Connection::new(self.inner.clone(), key))
    }
}
