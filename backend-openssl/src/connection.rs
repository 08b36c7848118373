//! One connection: its key, the session that it offered and the sessions that it stored.
//!
//! A handshake runs through these steps, which the callbacks of OpenSSL pass on, or the driver of the
//! handshake by itself ([`Connector::driven`](crate::Connector::driven)):
//! 1. [`Connection::prepare`] looks a session up and offers it. A connection dropped before step 2
//!    reports nothing.
//! 2. `SSL_CB_HANDSHAKE_START`: [`handshake_started`](Connection::handshake_started).
//! 3. The `new_session` callback: [`session_received`](Connection::session_received) stores. OpenSSL
//!    calls it in a full TLS 1.2 handshake before step 4, in TLS 1.3 for each ticket after it.
//! 4. One of these ends the handshake, and reports the outcome if a session was offered:
//!    - `SSL_CB_HANDSHAKE_DONE`: [`handshake_succeeded`](Connection::handshake_succeeded). It also
//!      fetches a ticket renewed in a resumed TLS 1.2 handshake, for which step 3 does not happen.
//!    - `SSL_CB_CONNECT_EXIT` with an error: [`handshake_failed`](Connection::handshake_failed).
//!    - The application calls [`cancel`](Connection::cancel).
//! 5. `SSL_CB_READ_ALERT`, in the handshake or later:
//!    [`alert_received`](Connection::alert_received) revokes.
//! 6. `SSL_CB_WRITE_ALERT`: [`closed`](Connection::closed) notes `close_notify`.
//! 7. Drop, with the `SSL`: a handshake that is still under way has failed.

mod application_data;
mod receiving;
mod state;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openssl::ssl::SslRef;
use parking_lot::{Mutex, MutexGuard};
use store_core::{
    Begun, Chain, Entry, LookUp, Offer, Outcome, Protocol, SessionKey, Timestamp, Usage, Want,
};

use self::state::State;
pub(crate) use self::state::{Begin, Phase};
use crate::ffi;
use crate::groups::{self, Lists, NO_GROUP};
use crate::offered::OfferedSession;
use crate::session::Session;
use crate::sessions::Sessions;
use crate::verification::{Requirements, Verification};

/// The store's handle of one `SSL` object, from before its handshake until the object is freed.
/// [`connection()`](crate::connection()) returns it.
pub struct Connection {
    settings: Arc<Settings>,
    key: SessionKey,
    begun: Begun,
    /// The group that the server chose last, or `NO_GROUP`. `None` if groups are not ordered.
    hint: Option<u16>,
    /// What was required of the peer at the look-up. `None`: exactly the verification of the
    /// offered session.
    required: Option<Verification>,
    offered: Option<OfferedSession>,
    /// Whether the server has sent application data.
    answered: AtomicBool,
    state: Mutex<State>,
}

/// What all connections of a connector share.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) sessions: Sessions,
    /// The order of groups by hint. `None`: no hint is used.
    pub(crate) lists: Option<Lists>,
}

impl Connection {
    /// Looks up a session of `key` and offers it in the handshake of `ssl`, which requires of its
    /// peer what `plain` says, or what OpenSSL knows.
    pub(crate) fn prepare(
        settings: Arc<Settings>,
        key: SessionKey,
        ssl: &mut SslRef,
        plain: Option<Requirements<'_>>,
        Begin {
            phase,
            address,
            offers,
        }: Begin,
    ) -> Self {
        let Settings { sessions, lists } = &*settings;
        let now = sessions.clock().now();
        let is_plain = plain.is_some();
        let requirements = plain.unwrap_or_else(|| Requirements::read(ssl));
        let accept = |session: &Session| {
            let verification = session.verification();
            requirements.equals(verification) || verification.satisfies(&requirements)
        };
        let (begun, hint, offer) = if offers {
            let look_up = LookUp {
                address,
                ..Want::Any.into()
            };
            let start = sessions.store().begin(&key, look_up, now, accept);
            (start.begun, start.hint, start.offer)
        } else {
            let store = sessions.store();
            let begun = Begun::from(store.generation()).at(address);
            (begun, store.hint(&key), None)
        };
        let same = |offer: &Offer<Session>| requirements.equals(offer.entry.session.verification());
        let same = offer.as_ref().is_some_and(same);
        let mut required = (!same).then(|| requirements.into_verification());
        if !is_plain {
            // A session set by an earlier `prepare`, perhaps for another key, or by the application.
            ffi::clear_session(ssl);
        }
        if let (Some(lists), Some(hint)) = (lists, hint) {
            groups::offer_first(ssl, lists, hint);
        }
        let offered = offer.and_then(|offer| OfferedSession::offer(ssl, offer));
        let (offered, in_use) = offered.unzip();
        if offered.is_none() && required.is_none() {
            required = Some(Requirements::read(ssl).into_verification());
        }
        Self {
            key,
            begun,
            hint: lists.as_ref().map(|_| hint.unwrap_or(NO_GROUP)),
            required,
            offered,
            answered: AtomicBool::new(false),
            state: Mutex::new(State {
                phase,
                in_use: in_use.flatten(),
                ..State::default()
            }),
            settings,
        }
    }

    /// The key of the server.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Whether a session was offered.
    pub fn offered(&self) -> bool {
        self.offered.is_some()
    }

    /// Bytes of early data that the offered session allows; 0 without one.
    ///
    /// At 0, `SSL_write_early_data` fails. A session in the last 10 seconds of its lifetime allows
    /// none.
    pub fn early_data_allowed(&self) -> u32 {
        let offered = self.offered.as_ref();
        offered.map_or(0, |offered| offered.max_early_data)
    }

    /// The server's certificates in DER, its own first, from the full handshake of the offered
    /// session. If the connection was resumed, they are those of its server. `None` if no session
    /// was offered.
    ///
    /// A session that comes from a tier has the server's own certificate only.
    pub fn offered_chain(&self) -> Option<&Chain> {
        self.offered.as_ref().map(|offered| &offered.peer.chain)
    }

    /// Sessions received so far, stored or not: TLS 1.3 tickets, or the session of a TLS 1.2
    /// handshake. A resumed TLS 1.2 handshake counts a session only if the server renewed its
    /// ticket.
    pub fn tickets(&self) -> usize {
        self.state().received
    }

    /// The lifetime that the server gave the session received last; zero if it gave none. `None`
    /// before the first.
    pub fn lifetime(&self) -> Option<Duration> {
        self.state().lifetime
    }

    /// Bytes of early data that the session received last allows; zero if it allows none. `None`
    /// before the first.
    ///
    /// Corresponds to `SSL_SESSION_get_max_early_data`.
    pub fn max_early_data(&self) -> Option<u32> {
        self.state().max_early_data
    }

    /// Revokes the sessions that this connection stored, and the reusable session that it offered. If
    /// the connection was resumed, also the session that it resumed and all older ones of the server.
    /// Sessions received later are not stored.
    ///
    /// For an application whose own check of the peer fails after the handshake. Copies that other
    /// connections already hold stay valid.
    pub fn forget(&self) {
        let mut state = self.state();
        let is_resumed = state.is_resumed();
        state.revoked = true;
        let store = self.settings.sessions.store();
        let stored = std::mem::take(&mut state.older);
        for id in stored.into_iter().chain(state.newest.take()) {
            store.remove(&self.key, id);
        }
        drop(state);
        match &self.offered {
            Some(offered) if is_resumed => store.remove_up_to(&self.key, offered.id),
            Some(offered) if offered.usage == Usage::Reusable => {
                store.remove(&self.key, offered.id);
            }
            _ => {}
        }
    }

    /// Reports that the application abandons the handshake, for instance because it waits no longer
    /// or has another connection. Call it before the `Ssl` is dropped.
    ///
    /// An abandoned handshake is no sign of a bad session, so the server's sessions stay in the
    /// store. A ticket that was offered is used up all the same. After the handshake, and on later
    /// calls, it does nothing.
    pub fn cancel(&self) {
        self.abandon(Outcome::Cancelled);
    }

    /// Reports that the server's certificate is not accepted. As after [`cancel`](Self::cancel), the
    /// server's sessions stay. The next connection offers nothing: perhaps the server, or a load
    /// balancer, answers by another certificate because a session is offered.
    pub fn distrusted(&self) {
        self.abandon(Outcome::Distrusted);
    }

    fn abandon(&self, outcome: Outcome) {
        if self.state().end_handshake(Phase::Cancelled) {
            // One without a session was perhaps to show whether the server works, and did not.
            let outcome = if self.offered() {
                outcome
            } else {
                Outcome::FullFailed
            };
            self.report(outcome, None);
        }
    }

    /// Reports the outcome of a handshake that did not succeed, and the hint to store.
    fn report(&self, outcome: Outcome, hint: Option<u16>) {
        let sessions = &self.settings.sessions;
        let now = sessions.clock().now();
        let store = sessions.store();
        store.finish(&self.key, &self.begun, Some(outcome), hint, None, now);
    }

    /// `SSL_CB_HANDSHAKE_START`.
    pub(crate) fn handshake_started(&self) {
        let mut state = self.state();
        if state.phase == Phase::Prepared {
            state.phase = Phase::UnderWay;
        }
    }

    /// Counts the outcome of a handshake, and stores the server's group and a session.
    fn finish(
        &self,
        state: &mut State,
        outcome: Option<Outcome>,
        hint: Option<u16>,
        entry: Option<Entry<Session>>,
        now: Timestamp,
    ) {
        let store = self.settings.sessions.store();
        let stored = store.finish(&self.key, &self.begun, outcome, hint, entry, now);
        let Some(Ok(id)) = stored else { return };
        if let Some(older) = state.newest.replace(id) {
            state.older.push_back(older);
            if state.older.len() > store.limits().sessions_per_server {
                state.older.pop_front();
            }
        }
    }

    /// Reports that the handshake of `ssl` has succeeded (`SSL_CB_HANDSHAKE_DONE`).
    ///
    /// Stores a ticket that was renewed in a resumed TLS 1.2 handshake, for which OpenSSL calls no
    /// `new_session` callback.
    ///
    /// This and the methods below are for drivers that have their `Ssl` from
    /// [`Connector::driven`](crate::Connector::driven). For other connections OpenSSL's info callback
    /// calls them.
    pub fn handshake_succeeded(&self, ssl: &SslRef) {
        let (phase, outcome) = match self.offered {
            Some(_) if ssl.session_reused() => (Phase::Resumed, Outcome::Resumed),
            Some(_) => (Phase::Full, Outcome::Declined),
            None => (Phase::Full, Outcome::Full),
        };
        let mut state = self.state();
        if !state.end_handshake(phase) {
            return;
        }
        // The connection's own copy of a TLS 1.2 session.
        let is_tls12 = |offered: &OfferedSession| offered.protocol == Protocol::Tls12;
        let resumes_tls12 = phase == Phase::Resumed && self.offered.as_ref().is_some_and(is_tls12);
        let copy = state.in_use.as_ref().filter(|_| resumes_tls12);
        let renewed = copy.and_then(|own| ssl.session().filter(|session| !own.is(session)));
        let hint = match self.hint {
            Some(hint) if copy.is_none() => ffi::negotiated_group(ssl).filter(|new| *new != hint),
            _ => None, // a resumed TLS 1.2 connection has the group of the full handshake
        };
        if outcome == Outcome::Declined {
            self.remove_declined_ticket();
        }
        let renewed = renewed.and_then(|session| self.received(&mut state, ssl, session));
        let (entry, now) = renewed.unzip();
        let now = now.unwrap_or_else(|| self.settings.sessions.clock().now());
        self.finish(&mut state, Some(outcome), hint, entry, now);
    }

    /// Removes a reusable ticket that the server declined: its keys are gone, unless another address has
    /// them.
    #[cold]
    fn remove_declined_ticket(&self) {
        if let Some(offered) = &self.offered
            && (offered.usage, offered.protocol) == (Usage::Reusable, Protocol::Tls13)
            && !self.begun.is_of_other_address()
        {
            self.settings.sessions.store().remove(&self.key, offered.id);
        }
    }

    /// Reports that the transport failed in the handshake (`SSL_CB_CONNECT_EXIT` with an error):
    /// removes the session that it offered, and the hint. The next connection to the server offers
    /// nothing, to find out whether handshakes succeed at all.
    pub fn handshake_failed(&self) {
        if !self.end_failed(Outcome::Failed) {
            return;
        }
        if let Some(offered) = &self.offered
            && offered.usage == Usage::Reusable
        {
            let store = self.settings.sessions.store();
            store.remove_from_memory(&self.key, offered.id);
        }
    }

    /// Ends a handshake that is under way, and reports it as `outcome` if a session was offered.
    /// `false` if none is under way.
    fn end_failed(&self, outcome: Outcome) -> bool {
        if !self.state().end_handshake(Phase::Failed) {
            return false;
        }
        let outcome = match self.offered {
            Some(_) => outcome,
            None => Outcome::FullFailed,
        };
        let forgets_hint = self.hint.is_some_and(|hint| hint != NO_GROUP);
        self.report(outcome, forgets_hint.then_some(NO_GROUP));
        true
    }

    /// Reports that the server sent a fatal alert (`SSL_CB_READ_ALERT`), or in the handshake what
    /// OpenSSL rejects: a record that cannot be decrypted, a message that is not allowed.
    ///
    /// In the handshake it ends the connection: the session that was offered and all older ones of
    /// the server are removed.
    ///
    /// After it, it revokes as [`forget`](Self::forget) does (RFC 8446, section 6.2). A server that
    /// rejects resumed connections in this way, before it has sent [data](Self::received_data), is
    /// offered nothing on the next connection; after the second rejection within an hour it is
    /// avoided. It may reject so in TLS 1.3, where the client ends the handshake, and in a TLS 1.2
    /// resumption.
    ///
    /// `alert` is its number, `None` without one.
    pub fn alert_received(&self, alert: Option<u8>) {
        let rejected = self.end_failed(Outcome::of_alert(alert));
        if self.state().is_resumed() && !self.answered.load(Ordering::Relaxed) {
            self.report(Outcome::RejectedLate, None);
        }
        self.forget();
        if rejected && let Some(offered) = &self.offered {
            let store = self.settings.sessions.store();
            store.remove_up_to(&self.key, offered.id);
        }
    }

    /// Reports that the transport has ended, after the handshake, without `close_notify`. A server that
    /// ends a resumed connection so, within 2 seconds and before it has sent
    /// [data](Self::received_data), counts as one that rejects it by an alert; no session is revoked.
    pub fn transport_ended(&self) {
        let now = self.settings.sessions.clock().now();
        let answered = self.answered.swap(true, Ordering::Relaxed);
        let rejected = {
            let state = self.state();
            !answered && !state.closed && state.is_resumed()
        };
        if rejected && self.begun.is_recent(now) {
            self.report(Outcome::RejectedLate, None);
        }
    }

    /// Reports that the server has sent application data. Optional, and only for connections whose
    /// driver reports alerts itself.
    pub fn received_data(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Reports that `close_notify` is sent (`SSL_CB_WRITE_ALERT`). OpenSSL then leaves the session of
    /// this connection as it is, and another connection can have it without a copy. A server ends the
    /// connection then, and that says nothing of the session.
    pub fn closed(&self) {
        self.state().closed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for Connection {
    /// OpenSSL runs this when it frees the `SSL`. A panic, for instance in a `tracing` subscriber,
    /// must not reach C.
    fn drop(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let state = self.state.get_mut();
            let (phase, closed) = (state.phase, state.closed);
            if let Some(in_use) = state.in_use.take() {
                in_use.end(matches!(phase, Phase::Full | Phase::Resumed), closed);
            }
            if phase == Phase::UnderWay {
                self.handshake_failed();
            }
        }));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Connections on any thread share the store.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Arc<Connection>>();
};
