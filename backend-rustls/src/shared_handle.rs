//! One handle for all connections of a client that is not ours.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use store_core::{KeyRef, SecurityDomain, SessionKey};

use crate::host::host;
use crate::{Session, Sessions};

/// A handle for a whole `ClientConfig`, for clients that take one and make connections themselves.
///
/// Cloning it gives the same sessions. It sees servers' names and sessions, but no connections;
/// therefore:
/// - A session counts as established when it comes in. Renewals extend its total age, and a TLS 1.2
///   session, which rustls stores again whenever it is resumed, starts a new lifetime each time.
/// - The store's `resumed`, `declined` and `failed` stay at zero: the outcome is not known here.
/// - `clear` takes effect for what is stored, but a ticket that arrives afterwards on an older
///   connection is stored: nobody knows that it is older.
/// - Removal takes the TLS 1.2 session that is there, even a newer one.
/// - What a connection stored cannot be revoked. rustls stores only after its own verification has
///   succeeded; a check of the application's that fails later comes too late.
///
/// [`Connection`](crate::Connection) has none of these limits.
#[derive(Clone, Debug)]
pub struct SharedHandle {
    sessions: Sessions,
    domain: SecurityDomain,
    port: Option<u16>,
    /// Keys of hosts alone.
    never: Arc<HashSet<SessionKey>>,
}

impl SharedHandle {
    pub(crate) fn new(sessions: Sessions, domain: SecurityDomain) -> Self {
        Self {
            sessions,
            domain,
            port: None,
            never: Arc::default(),
        }
    }

    /// Separates this port from others: rustls names only the host, so a config whose connections
    /// all go to one port should say which. Without it, all ports of a host share sessions.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self {
            port: Some(port),
            ..self
        }
    }

    /// Neither keeps nor offers sessions of these hosts, by name or address.
    #[must_use]
    pub fn with_never_resume<H: AsRef<str>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        let alone = |host: H| KeyRef::new(&self.domain, host.as_ref()).to_key();
        let never = self.never.iter().cloned();
        let never = Arc::new(never.chain(hosts.into_iter().map(alone)).collect());
        Self { never, ..self }
    }

    /// The security domain of everything stored through this handle.
    pub fn domain(&self) -> &SecurityDomain {
        &self.domain
    }

    /// What `ClientConfig::resumption` wants.
    pub fn resumption(self) -> Resumption {
        Resumption::store(Arc::new(self))
    }

    fn key<'k>(&'k self, name: &'k ServerName<'_>) -> Option<KeyRef<'k>> {
        let key = KeyRef::from_host(&self.domain, host(name)?);
        if !self.never.is_empty() && self.never.contains(&key.to_key()) {
            return None;
        }
        Some(match self.port {
            Some(port) => key.with_port(port),
            None => key,
        })
    }

    fn put(&self, name: &ServerName<'_>, session: Session) {
        let Some(key) = self.key(name) else { return };
        let (store, now) = (self.sessions.store(), self.sessions.clock().now());
        // Refused is counted by the store, and means no more than a full handshake next time.
        let _ = store.put(key, session.into_entry(0, now), store.generation(), now);
    }
}

impl ClientSessionStore for SharedHandle {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        if let Some(key) = self.key(&name) {
            self.sessions.store().set_hint(key, group.into());
        }
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        let group = self.sessions.store().hint(self.key(name)?)?;
        Some(group.into())
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.put(&name, session.into());
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let now = self.sessions.clock().now();
        let offer = self.sessions.store().copy(self.key(name)?, now)?;
        offer.entry.session.into_tls12()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(key) = self.key(name) {
            self.sessions.store().remove_reusable(key);
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.put(&name, ticket.into());
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let now = self.sessions.clock().now();
        // Where there is none, rustls asks for a TLS 1.2 session next.
        let offer = self.sessions.store().take_first(self.key(name)?, now)?;
        offer.entry.session.into_tls13()
    }
}
