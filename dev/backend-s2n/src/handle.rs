//! One connection's dealings with the store: its key, what it offered and what it stored.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use s2n_tls::connection::Connection;
use s2n_tls::enums::Version;
use store_core::{Entry, EntryId, Generation, Outcome, SessionKey, Timestamp, Usage};
use zeroize::Zeroizing;

use crate::Session;
use crate::arrivals::{Arrival, Arrivals};
use crate::connector::Sessions;

/// What a connection carries with it from before its handshake until it is dropped.
pub(crate) struct Handle {
    sessions: Sessions,
    key: SessionKey,
    begun: Generation,
    offered: Option<Offered>,
    state: Mutex<State>,
}

/// What is remembered of the session that was offered, which itself is s2n-tls's now.
pub(crate) struct Offered {
    pub(crate) id: EntryId,
    pub(crate) usage: Usage,
    pub(crate) established: Timestamp,
}

struct State {
    phase: Phase,
    // Set by `forget`: nothing more is stored.
    revoked: bool,
    // What this connection put; older ones than the store keeps are gone.
    stored: VecDeque<EntryId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Started,
    Full,
    Resumed,
    Failed,
    Cancelled,
}

impl Handle {
    pub(crate) fn new(
        sessions: Sessions,
        key: SessionKey,
        begun: Generation,
        offered: Option<Offered>,
    ) -> Self {
        let state = Mutex::new(State {
            phase: Phase::Started,
            revoked: false,
            stored: VecDeque::new(),
        });
        Self {
            sessions,
            key,
            begun,
            offered,
            state,
        }
    }

    pub(crate) fn offered(&self) -> bool {
        self.offered.is_some()
    }

    /// The handshake has succeeded: what came with it may be stored, now that the server is known.
    pub(crate) fn succeeded(&self, connection: &mut Connection) {
        let resumed = connection.resumed();
        let (phase, outcome) = if resumed {
            (Phase::Resumed, Outcome::Resumed)
        } else {
            (Phase::Full, Outcome::Declined)
        };
        self.ends_in(phase, outcome);
        if !resumed && let Some(fetched) = fetched(connection) {
            arrivals(connection, |arrivals| arrivals.add(fetched));
        }
        self.absorb(connection);
    }

    /// The handshake has failed, and takes with it the session that it offered and all older ones of
    /// its server: the next connection does not fail for the same reason.
    pub(crate) fn failed(&self) {
        if self.ends_in(Phase::Failed, Outcome::Failed)
            && let Some(offered) = &self.offered
        {
            let store = self.sessions.store();
            store.remove_up_to(&self.key, offered.id);
        }
    }

    /// The server has ended the connection with a fatal alert: what it stored is removed (RFC 8446,
    /// section 6.2), and if it resumed a session, that one and all older ones of its server. In
    /// TLS 1.2 an alert is how a server refuses a resumption that the client has finished already.
    pub(crate) fn refused(&self) {
        let mut state = self.state();
        let phase = std::mem::replace(&mut state.phase, Phase::Failed);
        drop(state);
        // Whoever goes on reading is told the same again.
        if phase == Phase::Failed {
            return;
        }
        self.forget();
        let resumed = phase == Phase::Resumed;
        if resumed && let Some(offered) = &self.offered {
            let store = self.sessions.store();
            store.remove_up_to(&self.key, offered.id);
        }
    }

    /// Revokes what this connection stored, and the reusable session that it resumed from.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.revoked = true;
        let stored = std::mem::take(&mut state.stored);
        drop(state);
        let resumed = self.offered.iter();
        let reusable = resumed.filter(|offered| offered.usage == Usage::Reusable);
        for id in stored.into_iter().chain(reusable.map(|offered| offered.id)) {
            self.sessions.store().remove(&self.key, id);
        }
    }

    /// Stores what has come. Called after whatever can bring sessions, outside of C.
    pub(crate) fn absorb(&self, connection: &mut Connection) {
        let came = arrivals(connection, Arrivals::take).unwrap_or_default();
        let Some(now) = (!came.is_empty()).then(|| self.sessions.now()).flatten() else {
            return;
        };
        let usage = match connection.actual_protocol_version() {
            Ok(Version::TLS13) => Usage::SingleUse,
            Ok(Version::TLS12) => Usage::Reusable,
            // What is older is not worth resuming; of what is newer, nothing is known.
            _ => return,
        };
        // A resumed handshake has verified nothing: total age counts from the full one.
        let resumed = connection.resumed();
        let offered = self.offered.as_ref().filter(|_| resumed);
        let established = offered.map_or(now, |offered| offered.established);
        let by_s2n = self.sessions.steady_now();
        for Arrival { bytes, lifetime } in came {
            let session = Session::new(bytes, by_s2n);
            let weight = session.weight();
            let entry = Entry::new(session, usage, lifetime, weight, now);
            self.put(entry.established_at(established), now);
        }
    }

    fn put(&self, entry: Entry<Session>, now: Timestamp) {
        // Locked meanwhile: what is stored and what `forget` knows of are the same.
        let mut state = self.state();
        if state.revoked {
            return;
        }
        let store = self.sessions.store();
        let Ok(id) = store.put(&self.key, entry, self.begun, now) else {
            return;
        };
        state.stored.push_back(id);
        if state.stored.len() > store.limits().sessions_per_server.max(1) {
            state.stored.pop_front();
        }
    }

    /// Notes how the handshake ended, if it has not.
    fn ends_in(&self, phase: Phase, outcome: Outcome) -> bool {
        let mut state = self.state();
        let under_way = state.phase == Phase::Started;
        if under_way {
            state.phase = phase;
        }
        drop(state);
        if under_way && self.offered() {
            self.sessions.store().report(&self.key, outcome);
        }
        under_way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    /// A future that is dropped in the middle of a handshake says nothing about the server: what it
    /// gave before stays. A ticket that was offered is used up all the same.
    fn drop(&mut self) {
        self.ends_in(Phase::Cancelled, Outcome::Cancelled);
    }
}

/// The session of a TLS 1.2 server that gives an id and no ticket, for which there is no callback.
fn fetched(connection: &mut Connection) -> Option<Arrival> {
    let is_tls12 = matches!(connection.actual_protocol_version(), Ok(Version::TLS12));
    let none_came = arrivals(connection, |arrivals| arrivals.received() == 0)?;
    if !is_tls12 || !none_came {
        return None;
    }
    let len = connection.session_ticket_length().ok()?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    let written = connection.session_ticket(&mut bytes).ok()?;
    (len > 0 && written == len).then_some(Arrival {
        bytes,
        lifetime: None,
    })
}

/// Looks into what a connection of a [`Connector`](crate::Connector) was given.
pub(crate) fn arrivals<T>(
    connection: &mut Connection,
    look: impl FnOnce(&mut Arrivals) -> T,
) -> Option<T> {
    connection.application_context_mut::<Arrivals>().map(look)
}
