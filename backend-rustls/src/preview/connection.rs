//! The handle of one connection of the rustls preview.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_next::HandshakeKind;
use rustls_next::client::{
    ClientSessionKey, ClientSessionStore, Resumption, Tls12Session, Tls13Session,
};
use rustls_next::crypto::kx::NamedGroup;
use rustls_next::pki_types::ServerName;
use store_core::{ApplicationData, ReuseTickets, SessionKey, Timestamp};

use super::session::Session;
use crate::clocked_store::ClockedStore;
use crate::handle::Handle;

/// The value of `Connection::lifetime` before the first session.
const NO_SESSION: u64 = u64::MAX;

/// The handle of one connection. Give it to rustls in a clone of the `ClientConfig`
/// ([`resumption`](Self::resumption)) and call [`settle`](Self::settle) after the handshake.
///
/// - Received sessions are held until `settle`: a handshake that fails, or whose peer the
///   application rejects, stores nothing.
/// - All sessions are stored under the key of the handle. If rustls names another host, the handle
///   offers nothing and stores nothing. The `config_hash` is ignored ([`preview`](super)).
/// - Sessions received after the store or the server was cleared are refused, also on a connection
///   that was open before.
/// - Dropping a handle without `settle`, [`cancel`](Self::cancel) or
///   [`alert_received`](Self::alert_received) means that the transport failed: the session that it
///   offered is removed. The next connection to the server offers nothing, to find out whether
///   handshakes succeed at all.
///
/// A handle is for one handshake: once it has offered a session or is settled, it offers no other.
/// "Offered" means given to rustls, which itself rejects a session past the lifetime that the server
/// gave.
pub struct Connection {
    handle: Handle<Session>,
    /// Lifetime in seconds of the session received last, or `NO_SESSION`.
    lifetime: AtomicU64,
    reuse_tickets: ReuseTickets,
}

impl Connection {
    pub(super) fn new(
        store: ClockedStore<Session>,
        reuse_tickets: ReuseTickets,
        key: SessionKey,
    ) -> Self {
        Self {
            handle: Handle::new(store, key),
            lifetime: AtomicU64::new(NO_SESSION),
            reuse_tickets,
        }
    }

    /// The `resumption` for the `ClientConfig` of this connection. Cloning a configuration is cheap.
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

    /// The lifetime that the server gave the session received last, at most 7 days; zero if it gave
    /// none. `None` before the first.
    pub fn lifetime(&self) -> Option<Duration> {
        match self.lifetime.load(Ordering::Relaxed) {
            NO_SESSION => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
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

    /// Reports that the server has sent application data.
    pub fn received_data(&self) {
        self.handle.received_data();
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

    /// Ends a handshake that succeeded. Call it once, with the connection's `handshake_kind`, after
    /// all checks of the peer.
    ///
    /// Reports the outcome to the store and stores the sessions received; later ones are stored as
    /// they arrive. Sessions received in or after a resumed handshake keep the age of the resumed
    /// session. Later calls do nothing.
    pub fn settle(&self, kind: HandshakeKind) {
        self.handle.settle(matches!(
            kind,
            HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest
        ));
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
    /// ([`Error::AlertReceived`](rustls_next::Error::AlertReceived)), or in the handshake what
    /// rustls rejects: a record that cannot be decrypted, a message that is not allowed.
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

    fn receive(&self, name: &ServerName<'_>, session: Session) {
        let early_data = session.max_early_data();
        self.handle.receive(name, early_data, |now| {
            let lifetime = session.lifetime();
            self.lifetime.store(lifetime.as_secs(), Ordering::Relaxed);
            session.into_entry(self.reuse_tickets, now)
        });
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
        if let Some(session) = Session::from_tls12(&session) {
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
        if let Some(session) = Session::from_tls13(&ticket) {
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
