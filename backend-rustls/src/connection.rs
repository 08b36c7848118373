//! One connection's handle: it knows its key, what it offered and what it was given.

mod progress;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup};
use store_core::{Entry, Generation, KeyRef, Offer, SessionKey, SessionStore, Timestamp, Usage};

use self::progress::{LookUp, Next, Offered, Progress};
use crate::host::host;
use crate::{Session, Sessions};

/// The handle of one connection: give it to rustls in a clone of the `ClientConfig`
/// ([`resumption`](Self::resumption)) and call [`settle`](Self::settle) after the handshake.
///
/// - What the server gives is held back until `settle`: a handshake that fails, or whose outcome
///   the application rejects, leaves nothing in the store.
/// - All goes under the key that the handle was made with. rustls has to speak of the same host:
///   for another one the handle finds nothing and stores nothing.
/// - What arrives after the store or the server was cleared is refused, also on a connection that
///   was open before.
/// - Dropped without `settle`, the connection counts as failed: the session that it offered and
///   all older ones of its server are removed. What was stored since stays.
///
/// It is for one handshake: once it has handed out a session or is settled, it hands out no other.
/// "Offered" means handed to rustls, which may still refuse the session itself, because it has
/// expired by the server's word or was made under another verifier.
pub struct Connection {
    sessions: Sessions,
    key: SessionKey,
    begun: Generation,
    progress: Mutex<Progress>,
    /// Bytes that arrived since the last session or application data.
    arrived: AtomicUsize,
}

impl Connection {
    pub(crate) fn new(sessions: Sessions, key: SessionKey) -> Self {
        let begun = sessions.store().generation();
        Self {
            sessions,
            key,
            begun,
            progress: Mutex::new(Progress::default()),
            arrived: AtomicUsize::new(0),
        }
    }

    /// What the `ClientConfig` of this connection carries; a clone of a config costs little.
    pub fn resumption(self: &Arc<Self>) -> Resumption {
        Resumption::store(Arc::<Self>::clone(self))
    }

    /// Whether a session was handed to rustls for this connection.
    pub fn offered(&self) -> bool {
        self.progress().offered().is_some()
    }

    /// Sessions received so far, stored or not: TLS 1.3 tickets, and the TLS 1.2 session, which
    /// rustls also gives after a resumed handshake.
    pub fn tickets(&self) -> usize {
        self.progress().tickets()
    }

    /// The largest `max_early_data_size` of the TLS 1.3 tickets received so far, zero where they
    /// allow no early data. `None` before the first.
    pub fn early_data_max(&self) -> Option<u32> {
        self.progress().early_data_max()
    }

    /// Says how many bytes the transport has just given to rustls: a session that comes next was
    /// in them, so it weighs no more. For transports that can count; without it every session
    /// weighs [`SESSION_WEIGHT`](crate::SESSION_WEIGHT).
    pub fn arrived(&self, bytes: usize) {
        self.arrived.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that what has arrived so far was application data, in which no session was.
    pub fn arrived_data(&self) {
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
        let settled = self.progress().settle(kind, self.now());
        if let Some(outcome) = settled.outcome {
            self.store().report(&self.key, outcome);
        }
        for entry in settled.received {
            self.put(entry);
        }
    }

    /// Says that the server has ended the connection with a fatal alert
    /// ([`Error::AlertReceived`](rustls::Error::AlertReceived)): what this connection stored is
    /// removed (RFC 8446, section 6.2), and if it resumed a session, that one and all older ones of
    /// its server. In TLS 1.2 an alert is how a server refuses a resumption that the client has
    /// finished already.
    pub fn refused(&self) {
        let resumed = self.progress().resumed();
        self.forget();
        if let Some(id) = resumed {
            self.store().remove_up_to(&self.key, id);
        }
    }

    /// Revokes everything that this connection stored, and the TLS 1.2 session that it offered;
    /// what still comes is refused. For checks that fail after the handshake.
    ///
    /// A copy that another connection holds already is not called back, nor what that connection
    /// stores.
    pub fn forget(&self) {
        let forgotten = self.progress().forget();
        for id in forgotten.stored {
            self.store().remove(&self.key, id);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics half-way through a change, so what a panicking thread left is whole.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &SessionStore<Session> {
        self.sessions.store()
    }

    fn now(&self) -> Timestamp {
        self.sessions.clock().now()
    }

    /// How many sessions of one connection are worth remembering: more than the store would hold
    /// of one server are not.
    fn room(&self) -> usize {
        let limits = self.store().limits();
        match limits.servers {
            0 => 0,
            _ => limits.sessions_per_server,
        }
    }

    /// Whether rustls speaks of the server that this connection was made for.
    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let key = self.key.as_key();
        host(name).is_some_and(|host| KeyRef::of_host(key.domain(), host).host() == key.host())
    }

    fn receive(&self, name: &ServerName<'_>, session: Session, early_data: Option<u32>) {
        if !self.is_for(name) {
            return;
        }
        let bytes = self.arrived.swap(0, Ordering::Relaxed);
        let (entry, room) = (session.into_entry(bytes, self.now()), self.room());
        let next = self.progress().receive(entry, early_data, room);
        match next {
            Next::Store(entry) => self.put(entry),
            // Here, where the lock is released.
            Next::Drop(entry) => drop(entry),
        }
    }

    fn put(&self, entry: Entry<Session>) {
        // Refused is counted by the store, and means no more than a full handshake next time.
        let Ok(id) = self.store().put(&self.key, entry, self.begun, self.now()) else {
            return;
        };
        let keep = self.progress().remember(id, self.room());
        if !keep {
            // `forget` came in between.
            self.store().remove(&self.key, id);
        }
    }

    /// Notes that `offer` goes to rustls.
    fn hand_out(&self, offer: Offer<Session>) -> Session {
        self.progress().hand_out(Offered::new(&offer));
        offer.entry.session
    }
}

impl ClientSessionStore for Connection {
    /// Stored at once: a hint is no secret, and nobody's trust rests on it.
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        if self.is_for(&name) {
            self.store().set_hint(&self.key, group.into());
        }
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        if !self.is_for(name) {
            return None;
        }
        self.store().hint(&self.key).map(NamedGroup::from)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.receive(&name, session.into(), None);
    }

    /// What [`take_tls13_ticket`](Self::take_tls13_ticket) found and could not give, if it was
    /// asked before; rustls does. Else a look-up.
    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        if !self.is_for(name) || !self.progress().may_offer() {
            return None;
        }
        let look_up = self.progress().swap_look_up(LookUp::NotMade);
        let offer = match look_up {
            LookUp::Found(offer) => offer,
            LookUp::Nothing => return None,
            LookUp::NotMade => self.store().copy(&self.key, self.now())?,
        };
        self.hand_out(offer).into_tls12()
    }

    /// Removes the session that this connection offered, if it is still there: rustls asks for it
    /// when that session led to a broken handshake, or to one of TLS 1.3. A newer one stays.
    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if !self.is_for(name) {
            return;
        }
        let offered = self.progress().offered().and_then(Offered::reusable);
        if let Some(id) = offered {
            self.store().remove(&self.key, id);
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let early_data = ticket.max_early_data_size();
        self.receive(&name, ticket.into(), Some(early_data));
    }

    /// Looks for a session of either version, once for both, so that a connection counts as one
    /// offer or as one miss. rustls asks for a TLS 1.3 ticket first, and then for a TLS 1.2 session.
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        if !self.is_for(name) || !self.progress().may_offer() {
            return None;
        }
        let offer = self.store().offer(&self.key, self.now());
        match offer {
            Some(offer) if offer.entry.usage == Usage::SingleUse => {
                self.hand_out(offer).into_tls13()
            }
            other => {
                let before = self.progress().swap_look_up(other.into());
                // Here, where the lock is released.
                drop(before);
                None
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let abandoned = self.progress().abandon();
        if let Some(id) = abandoned.remove_up_to {
            self.store().remove_up_to(&self.key, id);
        }
        if let Some(outcome) = abandoned.outcome {
            self.store().report(&self.key, outcome);
        }
    }
}

impl fmt::Debug for Connection {
    /// Shows the key and the counts, never a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .field("offered", &self.offered())
            .field("tickets", &self.tickets())
            .finish_non_exhaustive()
    }
}
