//! One connection: its key, what it offered and what it stored.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef, SslSessionRef, SslVersion};
use store_core::{Chain, EntryId, Generation, Offer, Outcome, SessionKey, Timestamp, Usage};

use crate::connector::Sessions;
use crate::ffi::{self, Handshakes};
use crate::origin::Origin;
use crate::session::Session;
use crate::verification::{Address, Demands, Verification};

/// What a connection carries through its handshake: its key, the moment it began, what it demands
/// and what it offered. It lives in the `SSL` object and dies with it.
pub struct Connection {
    sessions: Sessions,
    key: SessionKey,
    begun: Generation,
    // None: just what was demanded of the session that was offered.
    demanded: Option<Verification>,
    offered: Option<Offered>,
    state: Mutex<State>,
}

/// The part that the handshake changes. The store is called with it locked: what is stored and what
/// `forget` knows of are the same.
struct State {
    phase: Phase,
    // Set by `forget`: nothing more is stored.
    revoked: bool,
    // What this connection put; only the newest can still be there.
    newest: Option<EntryId>,
    older: VecDeque<EntryId>,
    // Of a full handshake that gave a session: the next one has it in common.
    origin: Option<Arc<Origin>>,
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
    Cancelled,
}

/// What is remembered of the session that was offered, which itself is OpenSSL's now.
struct Offered {
    id: EntryId,
    usage: Usage,
    established: Timestamp,
    origin: Arc<Origin>,
    // A renewed session has another one.
    ssl_id: SslId,
    early_data: u32,
}

/// A session's name on the wire, of 32 bytes at most.
#[derive(PartialEq, Eq)]
struct SslId {
    bytes: [u8; 32],
    len: usize,
}

/// The connection that [`Connector::prepare`](crate::Connector::prepare) put into `ssl`.
pub fn connection(ssl: &SslRef) -> Option<&Connection> {
    ssl.ex_data(index()?)
}

impl Connection {
    /// Looks for a session for `ssl`, offers it, and leaves the connection in `ssl`.
    pub(crate) fn begin(sessions: Sessions, key: SessionKey, ssl: &mut SslRef, address: Address) {
        let Some(index) = index() else { return };
        let now = sessions.clock().now();
        let store = sessions.store();
        let demands = Demands::of(ssl, address);
        let (begun, offer) = store.begin(&key, now, |session| {
            session.verification().satisfies(&demands)
        });
        let same = |offer: &Offer<Session>| demands.are(offer.entry.session.verification());
        let mut demanded = None;
        if !offer.as_ref().is_some_and(same) {
            demanded = Some(demands.into_verification());
        }
        // A session from an earlier `begin`, for another key perhaps, or of the application's.
        ffi::withdraw(ssl);
        let offered = offer.and_then(|offer| Offered::to(ssl, offer));
        if offered.is_none() && demanded.is_none() {
            demanded = Some(Demands::of(ssl, address).into_verification());
        }
        let state = Mutex::new(State {
            phase: Phase::Prepared,
            revoked: false,
            newest: None,
            older: VecDeque::new(),
            origin: None,
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
                offered,
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
        self.offered.is_some()
    }

    /// How many bytes of early data the session that was offered allows. `SSL_write_early_data` is
    /// refused if it allows none, as one does in the last seconds of the lifetime that the server gave
    /// it.
    pub fn early_data_allowed(&self) -> u32 {
        let offered = self.offered.as_ref();
        offered.map_or(0, |offered| offered.early_data)
    }

    /// The certificates of the server, its own first, that the session offered was made with: those
    /// of this connection, too, if it was resumed. Of a session that comes from beyond this process,
    /// the server's own certificate only.
    pub fn offered_chain(&self) -> Option<&Chain> {
        self.offered.as_ref().map(|offered| &offered.origin.chain)
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
    pub fn max_early_data(&self) -> Option<u32> {
        self.state().early_data_max
    }

    /// Revokes what this connection stored, for an application whose own check of the peer failed
    /// after the handshake; also the reusable session that it resumed from. What the server still
    /// sends on this connection is not stored. Copies that other connections hold already are not
    /// called back.
    pub fn forget(&self) {
        let mut state = self.state();
        state.revoked = true;
        let stored = std::mem::take(&mut state.older);
        for id in stored.into_iter().chain(state.newest.take()) {
            self.sessions.store().remove(&self.key, id);
        }
        drop(state);
        if let Some(offered) = &self.offered
            && offered.usage == Usage::Reusable
        {
            self.sessions.store().remove(&self.key, offered.id);
        }
    }

    /// Says that the application gives the handshake up, before it drops the `Ssl`: because it waits
    /// no longer, or has another connection. That says nothing about the server, so what it has
    /// given before stays; a ticket that was offered is used up all the same. After the handshake,
    /// and once more, it does nothing.
    pub fn cancel(&self) {
        if self.ends_in(Phase::Cancelled) && self.offered() {
            self.sessions.store().report(&self.key, Outcome::Cancelled);
        }
    }

    /// Takes a session that OpenSSL has just received, from within its callback.
    pub(crate) fn received(&self, ssl: &SslRef, session: &SslSessionRef) {
        let mut state = self.state();
        state.received = state.received.saturating_add(1);
        state.lifetime = Some(Duration::from_secs(ffi::ticket_lifetime(session)));
        state.early_data_max = Some(session.max_early_data());
        if state.revoked {
            return;
        }
        // A resumed handshake has verified nothing: what the session knows is what the one before
        // it knew, and its age counts from there. If that one is not of this store, nothing is
        // known.
        let (origin, established) = if ssl.session_reused() {
            let Some(offered) = &self.offered else { return };
            (self.inherited(offered), Some(offered.established))
        } else {
            let Some(shown) = self.shown(ssl) else {
                return;
            };
            let known = state.origin.take().filter(|known| **known == shown);
            let origin = known.unwrap_or_else(|| Arc::new(shown));
            state.origin = Some(Arc::clone(&origin));
            (origin, None)
        };
        let now = self.sessions.clock().now();
        let Some(entry) = Session::received(session, origin, now) else {
            return;
        };
        let entry = entry.established_at(established.unwrap_or(now));
        let store = self.sessions.store();
        let Ok(id) = store.put(&self.key, entry, self.begun, now) else {
            return;
        };
        if let Some(older) = state.newest.replace(id) {
            state.older.push_back(older);
        }
        if state.older.len() > store.limits().sessions_per_server {
            state.older.pop_front();
        }
    }

    /// What a full handshake has shown of the peer.
    fn shown(&self, ssl: &SslRef) -> Option<Origin> {
        let shown = Verification::shown_by(ssl)?;
        let of_offered = || self.offered.as_ref().map(|it| &it.origin.verification);
        // Where the demands have changed since, what was checked is not known.
        let same = Some(&shown) == self.demanded.as_ref().or_else(of_offered);
        same.then(|| Origin::of(ssl, shown, self.sessions.peer_certificate()))
    }

    /// What is known of the peer after a resumed handshake. A session from beyond this process does
    /// not know the policy here.
    fn inherited(&self, offered: &Offered) -> Arc<Origin> {
        let policy = self.sessions.peer_certificate();
        if offered.origin.policy == policy {
            return Arc::clone(&offered.origin);
        }
        let origin = Origin::clone(&offered.origin);
        Arc::new(Origin { policy, ..origin })
    }

    /// Counts the outcome, and fetches a ticket that was renewed in a resumed TLS 1.2 handshake,
    /// for which there is no callback.
    fn succeeded(&self, ssl: &SslRef) {
        let resumed = ssl.session_reused();
        let phase = if resumed { Phase::Resumed } else { Phase::Full };
        if !self.ends_in(phase) {
            return;
        }
        let Some(offered) = &self.offered else { return };
        let outcome = if resumed {
            Outcome::Resumed
        } else {
            Outcome::Declined
        };
        self.sessions.store().report(&self.key, outcome);
        if !resumed || ssl.version2() == Some(SslVersion::TLS1_3) {
            return;
        }
        if let Some(session) = ssl.session()
            && SslId::of(session) != offered.ssl_id
        {
            self.received(ssl, session);
        }
    }

    /// A handshake that began and did not succeed takes the session with it that it offered, and
    /// all older ones of its server: the next connection does not fail for the same reason.
    fn failed(&self) {
        if self.ends_in(Phase::Failed)
            && let Some(offered) = &self.offered
        {
            self.sessions.store().remove_up_to(&self.key, offered.id);
            self.sessions.store().report(&self.key, Outcome::Failed);
        }
    }

    /// The server has ended the connection with a fatal alert: what it stored is removed (RFC 8446,
    /// section 6.2), and if it resumed a session, that one and all older ones of its server. In
    /// TLS 1.2 an alert is how a server refuses a resumption that the client has finished already.
    fn refused(&self) {
        let resumed = self.state().phase == Phase::Resumed;
        self.forget();
        if resumed && let Some(offered) = &self.offered {
            self.sessions.store().remove_up_to(&self.key, offered.id);
        }
    }

    /// Notes how the handshake ended, if one is under way.
    fn ends_in(&self, phase: Phase) -> bool {
        let mut state = self.state();
        let under_way = state.phase == Phase::Started;
        if under_way {
            state.phase = phase;
        }
        under_way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offered {
    /// Offers a session in the handshake of `ssl`.
    fn to(ssl: &mut SslRef, offer: Offer<Session>) -> Option<Self> {
        let Offer { id, entry } = offer;
        let (usage, established) = (entry.usage, entry.established);
        let (mut live, origin) = entry.session.into_live()?;
        if live.max_early_data() > 0 && !is_in_time(&live) {
            ffi::forbid_early_data(&mut live);
        }
        ffi::offer(ssl, &live).then(|| Self {
            id,
            usage,
            established,
            origin,
            ssl_id: SslId::of(&live),
            early_data: live.max_early_data(),
        })
    }
}

/// Whether OpenSSL will offer the session in its first message, going by its own clock, which is the
/// system's and not the store's.
///
/// From one that lies in the future or is older than the server's word it withholds the ticket, but
/// not the early data, which then goes out under a key that anybody can compute
/// (openssl/openssl#13395). Some seconds are left to the connection that begins now.
fn is_in_time(session: &SslSessionRef) -> bool {
    const LEFT: u64 = 10;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let made = u64::try_from(session.time()).ok();
    let (Ok(now), Some(made)) = (now, made) else {
        return false;
    };
    let age = now.as_secs().checked_sub(made);
    age.is_some_and(|age| age.saturating_add(LEFT) <= ffi::ticket_lifetime(session))
}

impl SslId {
    fn of(session: &SslSessionRef) -> Self {
        let id = session.id();
        let mut bytes = [0; _];
        let len = id.len().min(bytes.len());
        bytes[..len].copy_from_slice(&id[..len]);
        Self { bytes, len }
    }
}

impl Drop for Connection {
    /// A handshake that was broken off has failed, too. OpenSSL drops this, and no panic may reach it:
    /// not even one of who listens to the store's events.
    fn drop(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.failed()));
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
        // OpenSSL also says so when the first message is out that early data is to follow.
        if ssl.is_init_finished()
            && let Some(connection) = connection(ssl)
        {
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
