//! One connection's handle: it knows its key, what it offered and what it was given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_next::HandshakeKind;
use rustls_next::client::{
    ClientSessionKey, ClientSessionStore, Resumption, Tls12Session, Tls13Session,
};
use rustls_next::crypto::kx::NamedGroup;
use rustls_next::pki_types::ServerName;
use store_core::SessionKey;

use super::Session;
use crate::clocked::Clocked;
use crate::handle::Handle;

/// Stands for the lifetime of no session.
const NO_SESSION: u64 = u64::MAX;

/// The handle of one connection: give it to rustls in a clone of the `ClientConfig`
/// ([`resumption`](Self::resumption)) and call [`settle`](Self::settle) after the handshake.
///
/// - What the server gives is held back until `settle`: a handshake that fails, or whose outcome
///   the application rejects, leaves nothing in the store.
/// - All goes under the key that the handle was made with. rustls has to speak of the same host:
///   for another one the handle finds nothing and stores nothing. Its `config_hash` is not looked
///   at ([`preview`](super)).
/// - What arrives after the store or the server was cleared is refused, also on a connection that
///   was open before.
/// - Dropped without `settle`, the connection counts as failed: the session that it offered and
///   all older ones of its server are removed. What was stored since stays.
///
/// It is for one handshake: once it has handed out a session or is settled, it hands out no other.
/// "Offered" means handed to rustls, which may still refuse the session itself, because it has
/// expired by the server's word.
pub struct Connection {
    handle: Handle<Session>,
    /// Seconds that the session received last may be used; `NO_SESSION` before the first.
    lifetime: AtomicU64,
}

impl Connection {
    pub(super) fn new(sessions: Clocked<Session>, key: SessionKey) -> Self {
        Self {
            handle: Handle::new(sessions, key),
            lifetime: AtomicU64::new(NO_SESSION),
        }
    }

    /// What the `ClientConfig` of this connection carries; a clone of a config costs little.
    pub fn resumption(self: &Arc<Self>) -> Resumption {
        Resumption::store(Arc::<Self>::clone(self))
    }

    /// Whether a session was handed to rustls for this connection.
    pub fn offered(&self) -> bool {
        self.handle.offered()
    }

    /// Sessions received so far, stored or not: TLS 1.3 tickets, and the TLS 1.2 session, which
    /// rustls also gives after a resumed handshake.
    pub fn tickets(&self) -> usize {
        self.handle.tickets()
    }

    /// How long the session received last may be used, by the server's word, at most 7 days; zero
    /// if it did not say. `None` before the first.
    pub fn lifetime(&self) -> Option<Duration> {
        match self.lifetime.load(Ordering::Relaxed) {
            NO_SESSION => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// The largest `max_early_data_size` of the TLS 1.3 tickets received so far, zero where they
    /// allow no early data. `None` before the first.
    pub fn max_early_data(&self) -> Option<u32> {
        self.handle.max_early_data()
    }

    /// Says that the handshake succeeded, and how: call it once, with the connection's
    /// `handshake_kind`, when the peer is verified by all means that matter.
    ///
    /// Reports the outcome to the store and stores what was received; from then on sessions are
    /// stored as they come. After a resumed handshake they keep the age of the session that it
    /// resumed. Later calls do nothing.
    pub fn settle(&self, kind: HandshakeKind) {
        self.handle.settle(matches!(
            kind,
            HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest
        ));
    }

    /// Says that the server has ended the connection with a fatal alert
    /// ([`Error::AlertReceived`](rustls_next::Error::AlertReceived)): what this connection stored is
    /// removed (RFC 8446, section 6.2), and if it resumed a session, that one and all older ones of
    /// its server. In TLS 1.2 an alert is how a server refuses a resumption that the client has
    /// finished already.
    pub fn alert_received(&self) {
        self.handle.alert_received();
    }

    /// Revokes everything that this connection stored, and the TLS 1.2 session that it offered;
    /// what still comes is refused. For checks that fail after the handshake.
    ///
    /// A copy that another connection holds already is not called back, nor what that connection
    /// stores.
    pub fn forget(&self) {
        self.handle.forget();
    }

    fn receive(&self, name: &ServerName<'_>, session: Session) {
        if !self.handle.is_for(name) {
            return;
        }
        let (lifetime, early_data) = (session.lifetime(), session.early_data());
        self.lifetime.store(lifetime.as_secs(), Ordering::Relaxed);
        let now = self.handle.arrival();
        self.handle
            .receive(session.into_entry(now), early_data, now);
    }
}

impl ClientSessionStore for Connection {
    fn set_kx_hint(&self, key: ClientSessionKey<'static>, group: NamedGroup) {
        self.handle.set_hint(&key.server_name, group.0);
    }

    fn kx_hint(&self, key: &ClientSessionKey<'_>) -> Option<NamedGroup> {
        self.handle.hint(&key.server_name).map(NamedGroup)
    }

    fn set_tls12_session(&self, key: ClientSessionKey<'static>, session: Tls12Session) {
        if let Some(session) = Session::of_tls12(&session) {
            self.receive(&key.server_name, session);
        }
    }

    fn tls12_session(&self, key: &ClientSessionKey<'_>) -> Option<Tls12Session> {
        self.handle.copy(&key.server_name)?.to_tls12()
    }

    fn remove_tls12_session(&self, key: &ClientSessionKey<'static>) {
        self.handle.remove_offered(&key.server_name);
    }

    fn insert_tls13_ticket(&self, key: ClientSessionKey<'static>, ticket: Tls13Session) {
        if let Some(session) = Session::of_tls13(&ticket) {
            self.receive(&key.server_name, session);
        }
    }

    fn take_tls13_ticket(&self, key: &ClientSessionKey<'static>) -> Option<Tls13Session> {
        self.handle.take(&key.server_name)?.into_tls13()
    }
}

impl fmt::Debug for Connection {
    /// Shows the key and the counts, never a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}
