//! A configuration of rustls that follows a source of credentials.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ::rustls::SignatureScheme;
use ::rustls::client::ResolvesClientCert;
use ::rustls::sign::CertifiedKey;
use backend_rustls::{CurrentDomain, FollowDomain};
use store_core::SecurityDomain;

use super::{Connector, Rustls};
use crate::connect_options::Scope;

/// What the configurations of one connector follow: the resolver of their client certificate, of
/// which rustls compares the address before it resumes.
#[derive(Debug)]
pub(super) struct Follower {
    connector: Connector,
    /// Part of the domain, since sessions of another resolver would be rejected.
    instance: u64,
}

/// The follower of a connector while a configuration refers to it. It refers to the connector, so a
/// reference back would keep both alive.
#[derive(Clone, Debug, Default)]
pub(super) struct FollowerCell(Arc<Mutex<Weak<Follower>>>);

impl FollowerCell {
    fn get(&self) -> Option<Arc<Follower>> {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cell.upgrade()
    }

    fn get_or_create(&self, connector: &Connector) -> Arc<Follower> {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let mut cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cell.upgrade().unwrap_or_else(|| {
            let follower = Arc::new(Follower {
                connector: connector.clone(),
                instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
            });
            *cell = Arc::downgrade(&follower);
            follower
        })
    }
}

impl Rustls {
    /// The domain of a configuration's sessions: that of the connection's own, unless it follows a
    /// source.
    pub(super) fn client_config_domain(&self, domain: &SecurityDomain) -> SecurityDomain {
        let follower = self.follower.get();
        follower.map_or(*domain, |follower| follower.domain(domain))
    }

    /// The follower of `connector`, to which this backend belongs.
    pub(super) fn follower(&self, connector: &Connector) -> Arc<Follower> {
        self.follower.get_or_create(connector)
    }
}

impl Follower {
    fn domain(&self, connector: &SecurityDomain) -> SecurityDomain {
        SecurityDomain::builder("tls-resume client config")
            .field("connector", connector.as_bytes())
            .field("instance", &self.instance.to_be_bytes())
            .finish()
    }
}

impl ResolvesClientCert for Follower {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.connector.configured().backend.credential.certified()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The domain of the sessions of one configuration.
#[derive(Debug)]
pub(super) struct Following {
    follower: Arc<Follower>,
    scope: Scope,
}

impl Following {
    pub(super) fn new(follower: Arc<Follower>, scope: Scope) -> Self {
        Self { follower, scope }
    }
}

impl FollowDomain for Following {
    fn current(&self) -> CurrentDomain {
        let configured = self.follower.connector.configured();
        let rustls = &configured.backend;
        let domain = self.scope.domain(configured.domain());
        CurrentDomain {
            domain: self.follower.domain(&domain),
            since: configured.since,
            certificate_expires: rustls.credential.not_after(),
        }
    }
}
