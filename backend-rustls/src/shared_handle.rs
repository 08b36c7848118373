//! One handle for all connections of a `ClientConfig`.

use std::fmt;
use std::sync::Arc;

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use store_core::{KeyRef, LookUp, Outcome, SecurityDomain, Storable, Timestamp, Want};

use crate::clocked_store::ClockedStore;
use crate::follow_domain::{CurrentDomain, FollowDomain};
use crate::host::host_ref;
use crate::session::Session;
use crate::session_data::SessionData;

/// A handle for a whole `ClientConfig`, for clients that take one and connect themselves.
///
/// Clones share their sessions. rustls passes server names and sessions to the handle, but not
/// which connection they belong to. Therefore:
/// - A session counts as established when it is received. So a renewed session escapes the limit
///   [`total_age`](store_core::Limits::total_age), and a TLS 1.2 session, which rustls stores again
///   after each resumption, starts a new lifetime.
/// - The store's counters `resumed`, `declined` and `failed` stay at zero: the outcome is not known.
///   rustls tells of handshakes that succeed, but not which. An offer counts as failed when nothing
///   has succeeded for four times as long as a handshake with the server takes, 200 ms at least: then
///   one connection offers nothing. Connections that begin within this time of a failed offer may
///   fail too. A TLS 1.2 server that gives no session counts as silent.
/// - `clear` removes stored sessions, but a ticket received afterwards on an older connection is
///   stored.
/// - When rustls removes a TLS 1.2 session, because its handshake failed or negotiated TLS 1.3, the
///   store removes the server's current one, even if it is newer.
/// - When the server's certificates expire is not known, so its sessions may outlive them.
/// - The sessions of one connection cannot be revoked. rustls stores only after its own verification
///   has succeeded; a later check of the application comes too late.
///
/// [`Connection`](crate::Connection) has none of these limits.
#[derive(Clone)]
pub struct SharedHandle {
    store: ClockedStore<Session>,
    domain: Domain,
    port: Option<u16>,
    endpoint: Option<Arc<[u8]>>,
    condition: Option<Arc<Condition>>,
    data: Option<SessionData>,
}

/// Whether sessions of a server are stored and offered.
type Condition = dyn Fn(&ServerName<'_>) -> bool + Send + Sync;

/// The domain of the sessions.
#[derive(Clone, Debug)]
enum Domain {
    Fixed(CurrentDomain),
    Followed(Arc<dyn FollowDomain>),
}

impl Domain {
    fn current(&self) -> CurrentDomain {
        match self {
            Self::Fixed(domain) => *domain,
            Self::Followed(domain) => domain.current(),
        }
    }
}

impl SharedHandle {
    pub(crate) fn new(store: ClockedStore<Session>, domain: SecurityDomain) -> Self {
        let domain = CurrentDomain {
            domain,
            since: None,
            certificate_expires: Timestamp::NEVER,
        };
        Self::in_domain(store, Domain::Fixed(domain))
    }

    pub(crate) fn following(store: ClockedStore<Session>, domain: Arc<dyn FollowDomain>) -> Self {
        Self::in_domain(store, Domain::Followed(domain))
    }

    fn in_domain(store: ClockedStore<Session>, domain: Domain) -> Self {
        Self {
            store,
            domain,
            port: None,
            endpoint: None,
            condition: None,
            data: None,
        }
    }

    /// Sets the port of all connections of the configuration. rustls passes only the host: without
    /// a port, all ports of a host share sessions.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self {
            port: Some(port),
            ..self
        }
    }

    /// Sets the endpoint of all connections of the configuration, as in [`KeyRef::with_endpoint`].
    #[must_use]
    pub fn with_endpoint(self, endpoint: impl Into<Arc<[u8]>>) -> Self {
        Self {
            endpoint: Some(endpoint.into()),
            ..self
        }
    }

    /// Stores and offers sessions of those servers only for which `resumes` returns true. It is called
    /// several times for each connection, with the name as the client gave it: with or without a
    /// trailing dot.
    #[must_use]
    pub fn with_condition(
        self,
        resumes: impl Fn(&ServerName<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            condition: Some(Arc::new(resumes)),
            ..self
        }
    }

    /// Sets when the client certificate expires: no session of its connections outlives it. Does
    /// nothing to a handle that follows a certificate.
    #[must_use]
    pub fn with_client_certificate_expiry(mut self, at: Timestamp) -> Self {
        if let Domain::Fixed(domain) = &mut self.domain {
            domain.certificate_expires = at;
        }
        self
    }

    /// Keeps what the application sets in `data` beside the sessions, and shows there what it kept beside
    /// the one offered. For a handle of one connection: rustls does not say which one a session belongs to.
    #[must_use]
    pub fn with_session_data(self, data: SessionData) -> Self {
        Self {
            data: Some(data),
            ..self
        }
    }

    /// The security domain of connections that begin now.
    pub fn domain(&self) -> SecurityDomain {
        self.domain.current().domain
    }

    /// The `resumption` for the `ClientConfig`.
    pub fn resumption(self) -> Resumption {
        Resumption::store(Arc::new(self))
    }

    fn key<'k>(
        &'k self,
        domain: &'k SecurityDomain,
        name: &'k ServerName<'_>,
    ) -> Option<KeyRef<'k>> {
        let mut key = KeyRef::from_host(domain, host_ref(name)?);
        if self
            .condition
            .as_ref()
            .is_some_and(|resumes| !resumes(name))
        {
            return None;
        }
        if let Some(port) = self.port {
            key = key.with_port(port);
        }
        if let Some(endpoint) = &self.endpoint {
            key = key.with_endpoint(endpoint);
        }
        Some(key)
    }

    fn look_up(&self, name: &ServerName<'_>, want: Want) -> Option<Session> {
        let (store, now) = (self.store.store(), self.store.now());
        let domain = self.domain();
        let look_up = LookUp {
            reports: false,
            ..want.into()
        };
        let start = store.begin(self.key(&domain, name)?, look_up, now, |_| true);
        let entry = start.offer?.entry;
        if let Some(data) = &self.data {
            data.set_offered(entry.session.application_data().cloned());
        }
        Some(entry.session)
    }

    /// Stores what rustls passes on, with `outcome` if it thereby tells of a handshake that succeeded.
    fn finish(
        &self,
        name: &ServerName<'_>,
        outcome: Option<Outcome>,
        hint: Option<u16>,
        session: Option<Session>,
    ) {
        let current = self.domain.current();
        let Some(key) = self.key(&current.domain, name) else {
            return;
        };
        let (store, now) = (self.store.store(), self.store.now());
        let session = session.filter(|_| !current.is_unsettled(now));
        let entry = session.map(|session| {
            let entry = session.into_entry(0, now);
            entry.expires_by(current.certificate_expires)
        });
        // The store counts refusals; the next handshake is then a full one.
        let begun = store.generation().into();
        let finish = |entry| store.finish(key, &begun, outcome, hint, entry, now);
        match (&self.data, entry) {
            (Some(data), Some(mut entry)) => data.store(&self.store, key, |beside| {
                entry.set_application_data(beside);
                finish(Some(entry))?.ok()
            }),
            (_, entry) => {
                finish(entry);
            }
        }
    }
}

impl fmt::Debug for SharedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHandle")
            .field("store", &self.store)
            .field("domain", &self.domain)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl ClientSessionStore for SharedHandle {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        // rustls calls this once, after a TLS 1.3 handshake that succeeded.
        self.finish(&name, Some(Outcome::Succeeded), Some(group.into()), None);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        let domain = self.domain();
        let group = self.store.store().hint(self.key(&domain, name)?)?;
        Some(group.into())
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        // rustls calls this after a TLS 1.2 handshake that succeeded.
        self.finish(&name, Some(Outcome::Succeeded), None, Some(session.into()));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.look_up(name, Want::Reusable)?.into_tls12()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        let domain = self.domain();
        if let Some(key) = self.key(&domain, name) {
            self.store.store().remove_reusable(key);
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.finish(&name, None, None, Some(ticket.into()));
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        // If there is none, rustls calls `tls12_session` next.
        self.look_up(name, Want::SingleUseFirst)?.into_tls13()
    }
}
