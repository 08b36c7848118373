//! The session store of OpenSSL clients.

use std::sync::Arc;

use store_core::{Clock, Limits, LimitsError, ReuseTickets, SessionStore, SystemClock};

use crate::peer::PeerCertificate;
use crate::session::Session;

/// A session store for OpenSSL clients, with its clock.
///
/// Cloning is cheap: all clones share one store, and so can any number of contexts.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Arc<SessionStore<Session>>,
    clock: Arc<dyn Clock>,
    peer_certificate: PeerCertificate,
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
            store,
            clock,
            peer_certificate: PeerCertificate::default(),
            reuse_tickets: ReuseTickets::default(),
        }
    }

    /// Sets whether the sessions of new connections keep their peer's certificate. The store is not
    /// changed; sessions stored before remain usable.
    #[must_use]
    pub fn with_peer_certificate(self, peer_certificate: PeerCertificate) -> Self {
        Self {
            peer_certificate,
            ..self
        }
    }

    /// Sets whether TLS 1.3 tickets that new connections receive are offered more than once. Contexts
    /// that differ in it need domains that differ.
    #[must_use]
    pub fn with_reuse_tickets(self, reuse_tickets: ReuseTickets) -> Self {
        Self {
            reuse_tickets,
            ..self
        }
    }

    pub(crate) fn reuse_tickets(&self) -> ReuseTickets {
        self.reuse_tickets
    }

    /// Whether sessions keep their peer's certificate.
    pub fn peer_certificate(&self) -> PeerCertificate {
        self.peer_certificate
    }

    /// The store.
    pub fn store(&self) -> &SessionStore<Session> {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}
