//! The handle of one connection: its key, the session that it offered and those that it stored.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use s2n_tls::connection::Connection;
use s2n_tls::enums::Version;
use store_core::{Entry, EntryId, Generation, Outcome, SessionKey, Timestamp, Usage};
use zeroize::Zeroizing;

use crate::received::{ReceivedSession, ReceivedSessions, with_received};
use crate::session::Session;
use crate::sessions::Sessions;

/// A connection's access to the store, from before its handshake until it is dropped.
pub(crate) struct Handle {
    sessions: Sessions,
    key: SessionKey,
    /// The store's generation at the look-up.
    generation: Generation,
    offered: Option<OfferedSession>,
    state: Mutex<State>,
}

/// What a connection remembers of the session that it offered. The session itself now belongs to
/// s2n-tls.
pub(crate) struct OfferedSession {
    pub(crate) id: EntryId,
    pub(crate) usage: Usage,
    pub(crate) established: Timestamp,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Whether the server has sent application data, and so accepted the connection.
    answered: bool,
    /// Set by `forget`: nothing more is stored.
    revoked: bool,
    /// The sessions stored, oldest first, as many as the store keeps of a server.
    stored: VecDeque<EntryId>,
}

/// How far the handshake is, or how it ended.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    UnderWay,
    Full,
    Resumed,
    Failed,
    Cancelled,
}

impl Handle {
    pub(crate) fn new(
        sessions: Sessions,
        key: SessionKey,
        generation: Generation,
        offered: Option<OfferedSession>,
    ) -> Self {
        Self {
            sessions,
            key,
            generation,
            offered,
            state: Mutex::default(),
        }
    }

    pub(crate) fn offered(&self) -> bool {
        self.offered.is_some()
    }

    /// Ends a handshake that succeeded, and stores the sessions received in it: the server is now
    /// authenticated.
    pub(crate) fn succeeded(&self, connection: &mut Connection) {
        let resumed = connection.resumed();
        let (phase, outcome) = match self.offered {
            Some(_) if resumed => (Phase::Resumed, Outcome::Resumed),
            Some(_) => (Phase::Full, Outcome::Declined),
            None => (Phase::Full, Outcome::Full),
        };
        self.end_handshake(phase, outcome);
        if !resumed && let Some(session) = session_without_ticket(connection) {
            with_received(connection, |received| received.add(session));
        }
        self.store_received(connection);
    }

    /// Ends a handshake that failed: removes the session that it offered, and if the server `rejected`
    /// the handshake, and no transport failed, all older ones of the server.
    pub(crate) fn failed(&self, rejected: bool) {
        let outcome = match self.offered {
            Some(_) if rejected => Outcome::Rejected,
            Some(_) => Outcome::Failed,
            None => Outcome::FullFailed,
        };
        if self.end_handshake(Phase::Failed, outcome)
            && let Some(offered) = &self.offered
        {
            let store = self.sessions.store();
            if rejected {
                store.remove_up_to(&self.key, offered.id);
            } else {
                store.remove_from_memory(&self.key, offered.id);
            }
        }
    }

    /// The server sent a fatal alert: revokes what this connection stored (RFC 8446, section 6.2), and
    /// if it was resumed, the session that it resumed and all older ones of the server. A server may
    /// reject a resumption by an alert after the client has finished: the next connection then offers
    /// nothing.
    pub(crate) fn alert_received(&self) {
        let mut state = self.state();
        let phase = std::mem::replace(&mut state.phase, Phase::Failed);
        let answered = state.answered;
        drop(state);
        // Every later read reports the same alert.
        if phase == Phase::Failed {
            return;
        }
        self.forget();
        let resumed = phase == Phase::Resumed;
        if resumed && let Some(offered) = &self.offered {
            let store = self.sessions.store();
            if !answered {
                self.report(Outcome::RejectedLate);
            }
            store.remove_up_to(&self.key, offered.id);
        }
    }

    /// The server has sent application data.
    pub(crate) fn received_data(&self) {
        self.state().answered = true;
    }

    /// Revokes what this connection stored, and the reusable session that it offered.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.revoked = true;
        let stored = std::mem::take(&mut state.stored);
        drop(state);
        let offered = self.offered.iter();
        let reusable = offered.filter(|offered| offered.usage == Usage::Reusable);
        for id in stored.into_iter().chain(reusable.map(|offered| offered.id)) {
            self.sessions.store().remove(&self.key, id);
        }
    }

    /// Stores the received sessions. Called after each call of s2n-tls that can receive some, outside
    /// of its callbacks.
    pub(crate) fn store_received(&self, connection: &mut Connection) {
        let received = with_received(connection, ReceivedSessions::take).unwrap_or_default();
        let Some(now) = (!received.is_empty())
            .then(|| self.sessions.now())
            .flatten()
        else {
            return;
        };
        let usage = match connection.actual_protocol_version() {
            Ok(Version::TLS13) => Usage::SingleUse,
            Ok(Version::TLS12) => Usage::Reusable,
            // Older versions are not worth resuming; newer ones are unknown.
            _ => return,
        };
        // A resumed handshake verifies nothing: total age counts from the full one.
        let resumed = connection.resumed();
        let offered = self.offered.as_ref().filter(|_| resumed);
        let established = offered.map_or(now, |offered| offered.established);
        let steady_now = self.sessions.steady_now();
        for ReceivedSession { bytes, lifetime } in received {
            let session = Session::new(bytes, steady_now);
            let (weight, ticket_bytes) = (session.weight(), session.ticket_bytes());
            let entry = Entry::new(session, usage, lifetime, weight, now);
            let entry = entry.with_ticket_bytes(ticket_bytes);
            self.put(entry.established_at(established), now);
        }
    }

    fn put(&self, entry: Entry<Session>, now: Timestamp) {
        // Locked while the store is called, so that `forget` knows every session that was stored.
        let mut state = self.state();
        if state.revoked {
            return;
        }
        let store = self.sessions.store();
        let Ok(id) = store.put(&self.key, entry, self.generation, now) else {
            return;
        };
        state.stored.push_back(id);
        if state.stored.len() > store.limits().sessions_per_server.max(1) {
            state.stored.pop_front();
        }
    }

    /// Ends a handshake that is under way, and reports its outcome. `false` if none is under way.
    fn end_handshake(&self, phase: Phase, outcome: Outcome) -> bool {
        let mut state = self.state();
        let under_way = state.phase == Phase::UnderWay;
        if under_way {
            state.phase = phase;
        }
        drop(state);
        if under_way {
            // One without a session was perhaps to show whether the server works, and did not.
            let outcome = match outcome {
                Outcome::Cancelled if !self.offered() => Outcome::FullFailed,
                outcome => outcome,
            };
            self.report(outcome);
        }
        under_way
    }

    fn report(&self, outcome: Outcome) {
        let now = self.sessions.now().unwrap_or(Timestamp::EPOCH);
        self.sessions.store().report(&self.key, outcome, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    /// Dropping the future during a handshake says nothing about the server, so its sessions stay in
    /// the store. A ticket that was offered is used up all the same.
    fn drop(&mut self) {
        self.end_handshake(Phase::Cancelled, Outcome::Cancelled);
    }
}

/// The session of a TLS 1.2 server that sends a session id and no ticket. s2n-tls calls no callback
/// for it.
fn session_without_ticket(connection: &mut Connection) -> Option<ReceivedSession> {
    let is_tls12 = matches!(connection.actual_protocol_version(), Ok(Version::TLS12));
    let none_received = with_received(connection, |received| received.count() == 0)?;
    if !is_tls12 || !none_received {
        return None;
    }
    let len = connection.session_ticket_length().ok()?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    let written = connection.session_ticket(&mut bytes).ok()?;
    (len > 0 && written == len).then_some(ReceivedSession {
        bytes,
        lifetime: None,
    })
}
