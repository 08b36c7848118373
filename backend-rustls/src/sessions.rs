//! The session store of rustls 0.23 clients, and its handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store_core::{
    Clock, Limits, LimitsError, SecurityDomain, SessionKey, SessionStore, SystemClock,
};

use crate::clocked_store::ClockedStore;
use crate::connection::Connection;
use crate::follow_domain::FollowDomain;
use crate::session::Session;
use crate::shared_handle::SharedHandle;

/// A session store for rustls clients, with its clock. Cloning is cheap: all clones share one store.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: ClockedStore<Session>,
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

    /// Uses an existing store. `clock` must be the one that all users of this store share.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store: ClockedStore::new(store, clock),
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

    /// Creates a handle for one `ClientConfig` and its clones, in a security domain of its own.
    ///
    /// The domain is a digest of `name` and of a number that is unique in this process: rustls 0.23
    /// resumes only under the same verifier and client-certificate resolver `Arc`s, and a ticket
    /// that it rejects for that reason is lost.
    ///
    /// rustls does not compare the certificate that the resolver returns. If it changes, use
    /// [`shared_handle_following`](Self::shared_handle_following): otherwise connections with the new
    /// certificate resume the sessions of the old one, as its identity.
    pub fn shared_handle(&self, name: &str) -> SharedHandle {
        static HANDLES: AtomicU64 = AtomicU64::new(0);
        let handle = HANDLES.fetch_add(1, Ordering::Relaxed);
        let domain = SecurityDomain::builder("backend-rustls 0.23 shared 1")
            .field("name", name.as_bytes())
            .field("handle", &handle.to_be_bytes())
            .finish();
        self.shared_handle_in(domain)
    }

    /// Creates a handle in a given domain, for configurations that share the verifier `Arc` and the
    /// client-certificate resolver `Arc`.
    pub fn shared_handle_in(&self, domain: SecurityDomain) -> SharedHandle {
        SharedHandle::new(self.store.clone(), domain)
    }

    /// Creates a handle for a configuration whose client certificate rotates: `domain` tells the domain
    /// of the current one. The verifier and the resolver `Arc` stay the same, and the resolver must
    /// return the certificate of that domain.
    ///
    /// rustls does not say which connection a session belongs to. So for 30 seconds after a rotation
    /// the handle stores none. One that a connection from before receives even later counts as one of
    /// the new certificate.
    pub fn shared_handle_following(&self, domain: Arc<dyn FollowDomain>) -> SharedHandle {
        SharedHandle::following(self.store.clone(), domain)
    }

    /// Creates the handle of one connection to the server `key`. Create it when the connection begins:
    /// sessions received after a later `clear` are not stored.
    ///
    /// Configurations with different verifier or resolver `Arc`s need keys of different domains,
    /// for the reason given at [`shared_handle`](Self::shared_handle). The connection's look-up
    /// also frees some expired sessions, in one bounded step.
    pub fn connection(&self, key: SessionKey) -> Arc<Connection> {
        Arc::new(Connection::new(self.store.clone(), key))
    }
}
