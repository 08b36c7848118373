//! What a connection uses: the configuration at its begin, and the key of its sessions.

use std::net::IpAddr;
use std::sync::Arc;

use store_core::{KeyRef, SecurityDomain, SessionKey};

use super::{Configured, Connector, Kin};
use crate::Backend;
use crate::host::Host;

/// What a connection uses that begins now.
pub(crate) struct Beginning<B: Backend> {
    pub(crate) configured: Arc<Configured<B>>,
    /// The key of the server's sessions; `None` if they are neither offered nor stored.
    pub(crate) key: Option<SessionKey>,
    /// What the connection keeps for its kin, if it is to.
    pub(crate) kept: Option<Arc<Kin<B>>>,
}

impl<B: Backend> Connector<B> {
    /// What a connection to `host` uses that begins now.
    pub(crate) fn begin(&self, host: &Host, port: u16) -> Beginning<B> {
        if let Some(kin) = &self.kin {
            return kin.begin(host, port);
        }
        let configured = self.configured();
        let key = self.session_key(&configured, host, port);
        if self.scope.keeps_session {
            return self.begin_keeping(host, port, &configured, key);
        }
        Beginning {
            configured,
            key,
            kept: None,
        }
    }

    /// The address of a connection that is made to `peer`, as far as it is known; `None` where it does not
    /// count. Addresses of one host may not share ticket keys.
    pub(crate) fn address(&self, peer: Option<IpAddr>) -> Option<IpAddr> {
        let scope = &self.scope;
        // An endpoint has keys of its own, and kin resume one session wherever they connect to.
        let counts = scope.endpoint.is_none() && !scope.keeps_session && self.kin.is_none();
        peer.or(scope.address).filter(|_| counts)
    }

    /// The key of the server's sessions in the connector's store; `None` if they are neither offered
    /// nor stored.
    pub(super) fn session_key(
        &self,
        configured: &Configured<B>,
        host: &Host,
        port: u16,
    ) -> Option<SessionKey> {
        let never = self.never_resume();
        let resumes = self.resumes() && !never.contains(host.server_name(), Some(port));
        resumes.then(|| {
            let domain = self.scope.domain(configured.domain());
            self.key(host, &domain).with_port(port).to_key()
        })
    }

    /// The key of a host's sessions in `domain`, without a port.
    pub(super) fn key<'k>(&'k self, host: &'k Host, domain: &'k SecurityDomain) -> KeyRef<'k> {
        let key = host.key(domain);
        match &self.scope.endpoint {
            Some(endpoint) => key.with_endpoint(endpoint),
            None => key,
        }
    }

    /// The backend for a connection that begins now.
    pub(crate) fn configured(&self) -> Arc<Configured<B>> {
        let inner = &*self.inner;
        let memory = &inner.opened.store.memory;
        inner.current.get(&inner.settings, &inner.options, memory)
    }
}
