//! One connection: its key, what it offered and what it stored.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef, SslSessionRef, SslVersion};
use store_core::{EntryId, Generation, Offer, Outcome, SessionKey, Timestamp, Usage};

use crate::connector::Sessions;
use crate::ffi::{self, Handshakes};
use crate::session::{Session, Verification};

/// What a connection carries through its handshake: its key, the moment it began, what it demands
/// and what it offered. It lives in the `SSL` object and dies with it.
pub struct Connection {
    sessions: Sessions,
    key: SessionKey,
    begun: Generation,
    demanded: Verification,
    state: Mutex<State>,
}

/// The part that the handshake changes.
struct State {
    offered: Option<Offered>,
    phase: Phase,
    // Set by `forget`: nothing more is stored.
    revoked: bool,
    // What this connection put; only the newest can still be there.
    stored: VecDeque<EntryId>,
    received: usize,
    lifetime: Option<Duration>,
    early_data_max: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prepared,
    Started,
    Full,
    Resumed,
    Failed,
}

/// What is remembered of the session that was offered, which itself is OpenSSL's now.
#[derive(Clone)]
struct Offered {
    id: EntryId,
    usage: Usage,
    established: Timestamp,
    verification: Verification,
    // A renewed session has another one.
    ssl_id: Vec<u8>,
}

/// The connection that [`Connector::prepare`](crate::Connector::prepare) put into `ssl`.
pub fn connection(ssl: &SslRef) -> Option<&Connection> {
    ssl.ex_data(index()?)
}

impl Connection {
    /// Looks for a session for `ssl`, offers it, and leaves the connection in `ssl`.
    pub(crate) fn begin(sessions: Sessions, key: SessionKey, ssl: &mut SslRef) {
        let Some(index) = index() else { return };
        let now = sessions.clock().now();
        let store = sessions.store();
        store.sweep(now);
        let begun = store.generation();
        let demanded = Verification::demanded_by(ssl);
        // A session from an earlier `begin`, for another key perhaps, or of the application's.
        ffi::withdraw(ssl);
        let offered = store
            .offer_where(&key, now, |session| {
                session.verification().satisfies(&demanded)
            })
            .filter(|offer| ffi::offer(ssl, offer.entry.session.as_ssl()))
            .map(|Offer { id, entry }| Offered {
                id,
                usage: entry.usage,
                established: entry.established,
                verification: entry.session.verification().clone(),
                ssl_id: entry.session.as_ssl().id().to_vec(),
            });
        let state = Mutex::new(State {
            offered,
            phase: Phase::Prepared,
            revoked: false,
            stored: VecDeque::new(),
            received: 0,
            lifetime: None,
            early_data_max: None,
        });
        ssl.set_ex_data(
            index,
            Self {
                sessions,
                key,
                begun,
                demanded,
                state,
            },
        );
    }

    /// The server that this connection is to.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Whether a session was offered.
    pub fn offered(&self) -> bool {
        self.state().offered.is_some()
    }

    /// Sessions received so far: TLS 1.3 tickets, or the session of a TLS 1.2 handshake.
    pub fn tickets(&self) -> usize {
        self.state().received
    }

    /// The server's word on how long the session received last lives; zero if it gave none.
    pub fn lifetime(&self) -> Option<Duration> {
        self.state().lifetime
    }

    /// Bytes of early data that the session received last allows.
    pub fn early_data_max(&self) -> Option<u32> {
        self.state().early_data_max
    }

    /// Revokes what this connection stored, for an application whose own check of the peer failed
    /// after the handshake; also the reusable session that it resumed from. What the server still
    /// sends on this connection is not stored. Copies that other connections hold already are not
    /// called back.
    pub fn forget(&self) {
        let (stored, offered) = {
            let mut state = self.state();
            state.revoked = true;
            (std::mem::take(&mut state.stored), state.offered.clone())
        };
        for id in stored {
            self.sessions.store().remove(&self.key, id);
        }
        if let Some(offered) = offered {
            self.remove_reusable(&offered);
        }
    }

    /// Takes a session that OpenSSL has just received, from within its callback.
    pub(crate) fn received(&self, ssl: &SslRef, session: &SslSessionRef) {
        let lifetime = Duration::from_secs(ffi::ticket_lifetime(session));
        let early_data_max = session.max_early_data();
        let offered = {
            let mut state = self.state();
            state.received = state.received.saturating_add(1);
            state.lifetime = Some(lifetime);
            state.early_data_max = Some(early_data_max);
            if state.revoked {
                return;
            }
            state.offered.clone()
        };
        // A resumed handshake has verified nothing: what the session knows is what the one before
        // it knew, and its age counts from there. If that one is not of this store, nothing is
        // known.
        let (verification, established) = if ssl.session_reused() {
            let Some(offered) = offered else { return };
            (Some(offered.verification), Some(offered.established))
        } else {
            // Where the demands have changed since, what was checked is not known.
            let shown = Verification::shown_by(ssl).filter(|shown| *shown == self.demanded);
            (shown, None)
        };
        let copy = verification.and_then(|known| Session::copy_of(session, known));
        let Some(copy) = copy else { return };

        let now = self.sessions.clock().now();
        let entry = copy.into_entry(ssl.peer_cert_chain(), now);
        let entry = entry.established_at(established.unwrap_or(now));
        let store = self.sessions.store();
        let Ok(id) = store.put(&self.key, entry, self.begun, now) else {
            return;
        };

        let most = store.limits().sessions_per_server.saturating_add(1);
        let mut state = self.state();
        if state.revoked {
            // `forget` came between: it did not see this one.
            drop(state);
            store.remove(&self.key, id);
            return;
        }
        state.stored.push_back(id);
        if state.stored.len() > most {
            state.stored.pop_front();
        }
    }

    /// Counts the outcome, and fetches a ticket that was renewed in a resumed TLS 1.2 handshake,
    /// for which there is no callback.
    fn succeeded(&self, ssl: &SslRef) {
        let resumed = ssl.session_reused();
        let offered = {
            let mut state = self.state();
            if state.phase != Phase::Started {
                return;
            }
            state.phase = if resumed { Phase::Resumed } else { Phase::Full };
            state.offered.clone()
        };
        let Some(offered) = offered else { return };
        let outcome = if resumed {
            Outcome::Resumed
        } else {
            Outcome::Declined
        };
        self.sessions.store().report(&self.key, outcome);
        if !resumed || ssl.version2() == Some(SslVersion::TLS1_3) {
            return;
        }
        if let Some(session) = ssl
            .session()
            .filter(|session| session.id() != offered.ssl_id)
        {
            self.received(ssl, session);
        }
    }

    /// A handshake that began and did not succeed takes the session with it that it offered, and
    /// all older ones of its server: the next connection does not fail for the same reason.
    fn failed(&self) {
        let offered = {
            let mut state = self.state();
            if state.phase != Phase::Started {
                return;
            }
            state.phase = Phase::Failed;
            state.offered.clone()
        };
        if let Some(offered) = offered {
            self.sessions.store().remove_up_to(&self.key, offered.id);
            self.sessions.store().report(&self.key, Outcome::Failed);
        }
    }

    /// The server has ended the connection with a fatal alert: what it stored is removed (RFC 8446,
    /// section 6.2), and if it resumed a session, that one and all older ones of its server. In
    /// TLS 1.2 an alert is how a server refuses a resumption that the client has finished already.
    fn refused(&self) {
        let resumed = {
            let state = self.state();
            let resumed = state.phase == Phase::Resumed;
            state.offered.clone().filter(|_| resumed)
        };
        self.forget();
        if let Some(resumed) = resumed {
            self.sessions.store().remove_up_to(&self.key, resumed.id);
        }
    }

    fn remove_reusable(&self, offered: &Offered) {
        if offered.usage == Usage::Reusable {
            self.sessions.store().remove(&self.key, offered.id);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    /// A handshake that was broken off has failed, too.
    fn drop(&mut self) {
        self.failed();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What the callbacks of a context do: find the connection and tell it.
pub(crate) struct Connections;

impl Handshakes for Connections {
    fn started(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            let mut state = connection.state();
            if state.phase == Phase::Prepared {
                state.phase = Phase::Started;
            }
        }
    }

    fn done(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.succeeded(ssl);
        }
    }

    fn failed(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.failed();
        }
    }

    fn refused(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.refused();
        }
    }
}

/// The place in every `SSL` for the connection, allocated once in a process. `None` if OpenSSL
/// has no place left: then nothing is stored and nothing offered.
fn index() -> Option<Index<Ssl, Connection>> {
    static INDEX: OnceLock<Option<Index<Ssl, Connection>>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().ok())
}

/// The store may be shared by connections on any thread.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Arc<Connection>>();
};
