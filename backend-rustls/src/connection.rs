//! The handle of one connection of rustls 0.23.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup};
use store_core::{ApplicationData, KeyRef, SessionKey, Timestamp};

use crate::clocked_store::ClockedStore;
use crate::handle::Handle;
use crate::session::Session;

/// The handle of one connection. Give it to rustls in a clone of the `ClientConfig`
/// ([`resumption`](Self::resumption)) and call [`settle`](Self::settle) after the handshake.
///
/// - Received sessions are held until `settle`: a handshake that fails, or whose peer the
///   application rejects, stores nothing.
/// - All sessions are stored under the key of the handle. If rustls names another host, the handle
///   offers nothing and stores nothing.
/// - Sessions received after the store or the server was cleared are refused, also on a connection
///   that was open before.
/// - Dropping a handle without `settle`, [`cancel`](Self::cancel) or
///   [`alert_received`](Self::alert_received) means that the transport failed: the session that it
///   offered is removed. The next connection to the server offers nothing, to find out whether
///   handshakes succeed at all.
///
/// A handle is for one handshake: once it has offered a session or is settled, it offers no other.
/// "Offered" means given to rustls, which itself rejects a session past the lifetime that the server
/// gave, and one made under another verifier.
pub struct Connection {
    handle: Handle<Session>,
    /// Bytes received since the last session or application data.
    received: AtomicUsize,
    /// How many of them before rustls wrote last: they contain no ticket.
    received_before_write: AtomicUsize,
}

impl Connection {
    pub(crate) fn new(store: ClockedStore<Session>, key: SessionKey) -> Self {
        Self {
            handle: Handle::new(store, key),
            received: AtomicUsize::new(0),
            received_before_write: AtomicUsize::new(0),
        }
    }

    /// The `resumption` for the `ClientConfig` of this connection: a clone of the application's, or
    /// one of a [`ConfigPool`](crate::ConfigPool).
    pub fn resumption(self: &Arc<Self>) -> Resumption {
        Resumption::store(Arc::<Self>::clone(self))
    }

    /// Whether a session was given to rustls for this connection.
    pub fn offered(&self) -> bool {
        self.handle.offered()
    }

    /// Sessions received so far, stored or not: TLS 1.3 tickets, or the TLS 1.2 session, which
    /// rustls stores again after a resumed handshake.
    pub fn tickets(&self) -> usize {
        self.handle.tickets()
    }

    /// The largest `max_early_data_size` of the TLS 1.3 tickets received so far, in bytes (RFC
    /// 8446, section 4.2.10); zero if they allow no early data. `None` before the first.
    pub fn max_early_data(&self) -> Option<u32> {
        self.handle.max_early_data()
    }

    /// What the application keeps beside the sessions of this connection: what it has
    /// [set](Self::set_application_data), else what it kept beside the session that was resumed. `None`
    /// before `settle`.
    pub fn application_data(&self) -> Option<ApplicationData> {
        self.handle.application_data()
    }

    /// Sets what the application keeps beside the sessions of this connection: those stored already,
    /// unless they were taken or moved to a tier meanwhile, and those received later. A reusable session that
    /// was resumed is one of them.
    pub fn set_application_data(&self, data: Option<ApplicationData>) {
        self.handle.set_application_data(data);
    }

    /// Reports how many bytes the transport has just passed to rustls. The next session received
    /// arrived in the bytes reported since the last session or [data](Self::received_data), so its
    /// weight is their number, or [`SESSION_WEIGHT`](crate::SESSION_WEIGHT) if that is larger.
    ///
    /// Optional: without it, every session weighs `SESSION_WEIGHT`, and the size of its ticket is not
    /// known.
    pub fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reports that rustls has written to the transport. A ticket has no more bytes than are received
    /// after it: the store refuses one above its limit
    /// [`ticket_bytes`](store_core::Limits::ticket_bytes).
    pub fn sent(&self) {
        let received = self.received.load(Ordering::Relaxed);
        self.received_before_write
            .store(received, Ordering::Relaxed);
    }

    /// Reports that all bytes received so far were application data, without a session.
    pub fn received_data(&self) {
        self.handle.received_data();
        self.count_from_zero();
    }

    fn count_from_zero(&self) {
        self.received.store(0, Ordering::Relaxed);
        self.received_before_write.store(0, Ordering::Relaxed);
    }

    /// Reports when the certificates of a full handshake expire: the earliest `notAfter` of the server's
    /// chain ([`earliest_not_after`](crate::earliest_not_after)) and of the client certificate. No session
    /// of the connection outlives it, and none that descends from them by resumption.
    ///
    /// Call it before [`settle`](Self::settle). Without it, only lifetimes and limits count. After a
    /// resumed handshake it changes nothing.
    pub fn certificates_expire(&self, at: Timestamp) {
        self.handle.certificates_expire(at);
    }

    /// Ends a handshake that succeeded. Call it once, with
    /// [`handshake_kind`](rustls::CommonState::handshake_kind), after all checks of the peer.
    ///
    /// Reports the outcome to the store and stores the sessions received; later ones are stored as
    /// they arrive. Sessions received in or after a resumed handshake keep the age of the resumed
    /// session. Later calls do nothing.
    pub fn settle(&self, kind: HandshakeKind) {
        self.handle.settle(kind == HandshakeKind::Resumed);
    }

    /// The IP address that the connection is made to. Addresses of one host may not share ticket keys: a
    /// connection is offered a session of its own address first, and none that is known to be declined
    /// there. Call it before the handshake.
    pub fn connects_to(&self, address: IpAddr) {
        self.handle.connects_to(address.into());
    }

    /// Makes the connection offer no session, though it stores those that it receives: for a second
    /// attempt after a handshake that failed. Call it before the handshake.
    pub fn offer_nothing(&self) {
        self.handle.offer_nothing();
    }

    /// Ends a handshake that the application abandons, for instance because it waits no longer or has
    /// another connection.
    ///
    /// An abandoned handshake is no sign of a bad session, so the server's sessions stay in the
    /// store. A ticket that was offered is used up all the same. After `settle`, and on later
    /// calls, it does nothing.
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// Ends a handshake because the server's certificate is not accepted. As after
    /// [`cancel`](Self::cancel), the server's sessions stay. The next connection offers nothing:
    /// perhaps the server, or a load balancer, answers by another certificate because a session is
    /// offered.
    pub fn distrusted(&self) {
        self.handle.distrusted();
    }

    /// Reports that the server has sent a fatal alert
    /// ([`Error::AlertReceived`](rustls::Error::AlertReceived)), or in the handshake what rustls
    /// rejects: a record that cannot be decrypted, a message that is not allowed.
    ///
    /// `alert` is its number, `None` without one. In the handshake it ends the connection: the session
    /// that was offered and all older ones of the server are removed.
    ///
    /// After the handshake it revokes as [`forget`](Self::forget) does (RFC 8446, section 6.2). A server
    /// that rejects resumed connections in this way, before it has sent
    /// [data](Self::received_data), is offered nothing on the next connection; after the second
    /// rejection within an hour it is avoided. It may reject so in TLS 1.3, where the client ends the
    /// handshake, and in a TLS 1.2 resumption.
    pub fn alert_received(&self, alert: Option<u8>) {
        self.handle.alert_received(alert);
    }

    /// Reports that the transport has ended, after the handshake, without `close_notify`. A server that
    /// ends a resumed connection so, within 2 seconds and before it has sent
    /// [data](Self::received_data), counts as one that rejects it by an alert; no session is revoked.
    pub fn transport_ended(&self) {
        self.handle.transport_ended();
    }

    /// Reports that `close_notify` is sent. A server ends the connection then, and that says nothing of
    /// the session.
    pub fn closed(&self) {
        self.handle.closed();
    }

    /// Revokes the sessions that this connection stored, and the TLS 1.2 session that it offered. If
    /// the connection was resumed, also the session that it resumed and all older ones of the server.
    /// Sessions received later are not stored.
    ///
    /// For an application whose own check of the peer fails after the handshake. Copies that other
    /// connections already hold, and what those connections store, stay valid.
    pub fn forget(&self) {
        self.handle.forget();
    }

    /// Begins another connection, to `key`, after this one has [ended](Self::end).
    pub(crate) fn begin_again(&self, key: KeyRef<'_>) {
        self.count_from_zero();
        self.handle.begin_again(key);
    }

    /// Ends this connection.
    pub(crate) fn end(&self) {
        self.handle.end();
    }

    fn receive(&self, name: &ServerName<'_>, session: Session, early_data: Option<u32>) {
        self.handle.receive(name, early_data, |now| {
            let bytes = self.received.swap(0, Ordering::Relaxed);
            let before = self.received_before_write.swap(0, Ordering::Relaxed);
            let mut entry = session.into_entry(bytes, now);
            entry.ticket_bytes = bytes.saturating_sub(before);
            entry
        });
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
