//! One connection's handle: it knows its key, what it offered and what it was given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup};
use store_core::SessionKey;

use crate::Session;
use crate::clocked::Clocked;
use crate::handle::Handle;

/// The handle of one connection: give it to rustls in a clone of the `ClientConfig`
/// ([`resumption`](Self::resumption)) and call [`settle`](Self::settle) after the handshake.
///
/// - What the server gives is held back until `settle`: a handshake that fails, or whose outcome
///   the application rejects, leaves nothing in the store.
/// - All goes under the key that the handle was made with. rustls has to speak of the same host:
///   for another one the handle finds nothing and stores nothing.
/// - What arrives after the store or the server was cleared is refused, also on a connection that
///   was open before.
/// - Dropped without `settle` or [`cancel`](Self::cancel), the connection counts as failed: the session that it offered and
///   all older ones of its server are removed. What was stored since stays.
///
/// It is for one handshake: once it has handed out a session or is settled, it hands out no other.
/// "Offered" means handed to rustls, which may still refuse the session itself, because it has
/// expired by the server's word or was made under another verifier.
pub struct Connection {
    handle: Handle<Session>,
    /// Bytes that arrived since the last session or application data.
    arrived: AtomicUsize,
}

impl Connection {
    pub(crate) fn new(sessions: Clocked<Session>, key: SessionKey) -> Self {
        Self {
            handle: Handle::new(sessions, key),
            arrived: AtomicUsize::new(0),
        }
    }

    /// What the `ClientConfig` of this connection carries: a clone of one, or one that is lent by
    /// [`ConfigPool`](crate::ConfigPool).
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

    /// The largest `max_early_data_size` of the TLS 1.3 tickets received so far, zero where they
    /// allow no early data. `None` before the first.
    pub fn max_early_data(&self) -> Option<u32> {
        self.handle.max_early_data()
    }

    /// Says how many bytes the transport has just given to rustls: a session that comes next was
    /// in them, so it weighs no more. For transports that can count; without it every session
    /// weighs [`SESSION_WEIGHT`](crate::SESSION_WEIGHT).
    pub fn received(&self, bytes: usize) {
        self.arrived.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that what has arrived so far was application data, in which no session was.
    pub fn received_data(&self) {
        self.arrived.store(0, Ordering::Relaxed);
    }

    /// Says that the handshake succeeded, and how: call it once, with
    /// [`handshake_kind`](rustls::CommonState::handshake_kind), when the peer is verified by all
    /// means that matter.
    ///
    /// Reports the outcome to the store and stores what was received; from then on sessions are
    /// stored as they come. After a resumed handshake they keep the age of the session that it
    /// resumed. Later calls do nothing.
    pub fn settle(&self, kind: HandshakeKind) {
        self.handle.settle(kind == HandshakeKind::Resumed);
    }

    /// Says that the application gives the handshake up, before it calls [`settle`](Self::settle):
    /// because it waits no longer, or has another connection. That says nothing about the server,
    /// so what it has given before stays; a ticket that was offered is used up all the same. Later
    /// calls do nothing, nor one after `settle`.
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// Says that the server has ended the connection with a fatal alert
    /// ([`Error::AlertReceived`](rustls::Error::AlertReceived)): what this connection stored is
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

    fn receive(&self, name: &ServerName<'_>, session: Session, early_data: Option<u32>) {
        if !self.handle.is_for(name) {
            return;
        }
        let bytes = self.arrived.swap(0, Ordering::Relaxed);
        let now = self.handle.arrival();
        let entry = session.into_entry(bytes, now);
        self.handle.receive(entry, early_data, now);
    }
}

impl ClientSessionStore for Connection {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.handle.set_hint(&name, group.into());
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.handle.hint(name).map(NamedGroup::from)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.receive(&name, session.into(), None);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.handle.copy(name)?.into_tls12()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.handle.remove_offered(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let early_data = ticket.max_early_data_size();
        self.receive(&name, ticket.into(), Some(early_data));
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.handle.take(name)?.into_tls13()
    }
}

impl fmt::Debug for Connection {
    /// Shows the key and the counts, never a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}
