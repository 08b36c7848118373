//! A client over OpenSSL, written for these tests, that can be broken in one way at a time.
//!
//! With no fault it keeps every rule, in the simplest way: it encodes each session when it comes
//! and decodes it for each connection. That also shows that the rules ask for nothing that only
//! the backends can do.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use conformance::{Client, Failure, Setup, Wire};
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslConnector, SslRef, SslSession, SslStream, SslVersion};
use openssl::x509::X509VerifyResult;
use store_core::{
    Clock, Entry, EntryId, Generation, KeyRef, Limits, Offer, Outcome, SecurityDomain, SessionKey,
    SessionStore, Storable, Timestamp, Usage,
};
use store_tiers::SharedStore;
use tls_resume::{Stats, TierStats};

use crate::connection::FaultyConnection;
use crate::der::lifetime;
use crate::fault::Fault;
use crate::setup::{builder, domain};
use crate::sharing;

/// A session in the store: encoded, or the very object that OpenSSL also holds.
pub(crate) enum Stored {
    Encoded(Vec<u8>),
    Object(SslSession),
}

impl Stored {
    fn session(&self) -> Option<SslSession> {
        match self {
            Self::Encoded(der) => SslSession::from_der(der).ok(),
            Self::Object(session) => Some(session.clone()),
        }
    }
}

impl Storable for Stored {
    fn duplicate(&self) -> Option<Self> {
        Some(match self {
            Self::Encoded(der) => Self::Encoded(der.clone()),
            Self::Object(session) => Self::Object(session.clone()),
        })
    }
}

/// The client.
pub(crate) struct Faulty {
    connector: SslConnector,
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) fault: Fault,
    pub(crate) store: Arc<SessionStore<Stored>>,
    beyond: Option<SharedStore<Stored>>,
    clock: Arc<dyn Clock>,
    domain: SecurityDomain,
    never_resume: Vec<String>,
    early_data: bool,
    off: bool,
    // For faults that mix connections up.
    latest: Mutex<Option<SessionKey>>,
    newest_time: Mutex<Timestamp>,
    in_handshake: Mutex<()>,
    shown: Mutex<Vec<u8>>,
}

/// What a connection carries with it.
pub(crate) struct State {
    pub(crate) key: SessionKey,
    begun: Generation,
    offered: Option<Offered>,
    pub(crate) resumed: bool,
    pub(crate) revoked: bool,
    pub(crate) stored: Vec<EntryId>,
    pub(crate) received: usize,
}

#[derive(Clone)]
pub(crate) struct Offered {
    pub(crate) id: EntryId,
    usage: Usage,
    established: Timestamp,
    pub(crate) der: Vec<u8>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn index() -> Index<Ssl, Mutex<State>> {
    static INDEX: OnceLock<Index<Ssl, Mutex<State>>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("a place in every SSL"))
}

impl Shared {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let mut newest = lock(&self.newest_time);
        *newest = match self.fault {
            Fault::TimeOnlyGoesOn => now.max(*newest),
            Fault::TimeStandsStill if *newest > Timestamp::EPOCH => *newest,
            _ => now,
        };
        *newest
    }

    fn key(&self, host: &str, port: u16) -> SessionKey {
        let host = if self.has(Fault::OneHost) {
            "any"
        } else {
            host
        };
        let mut key = KeyRef::new(&self.domain, host);
        if !self.has(Fault::NoPort) {
            key = key.with_port(port);
        }
        if self.has(Fault::SpelledHosts) {
            return key.with_endpoint(host.as_bytes()).to_key();
        }
        key.to_key()
    }

    /// Stores a session of a connection.
    pub(crate) fn put(&self, ssl: &SslRef, session: SslSession) {
        let Some(state) = ssl.ex_data(index()) else {
            return;
        };
        let mut state = lock(state);
        state.received += 1;
        if state.revoked && !self.has(Fault::TakesAfterForget) {
            return;
        }
        if state.offered.is_some() && self.has(Fault::KeepsTheFirst) {
            return;
        }
        let now = self.now();
        let single_use = session.protocol_version() == SslVersion::TLS1_3;
        let usage = match self.fault {
            Fault::TicketsServeOften | Fault::KeepsTheFirst => Usage::Reusable,
            Fault::SessionsServeOnce => Usage::SingleUse,
            _ if single_use => Usage::SingleUse,
            _ => Usage::Reusable,
        };
        let der = session.to_der().unwrap_or_default();
        let hint = if self.has(Fault::ForgetsServerLifetime) {
            None
        } else {
            lifetime(&der)
        };
        let stored = if self.has(Fault::KeepsTheObject) {
            Stored::Object(session)
        } else {
            Stored::Encoded(der.clone())
        };
        let mut entry = Entry::new(stored, usage, hint, der.len(), now);
        let established = state.offered.as_ref().map(|offered| offered.established);
        if state.resumed && !self.has(Fault::RenewsForEver) {
            entry.established = established.unwrap_or(now);
        }
        let key = match &*lock(&self.latest) {
            Some(latest) if self.has(Fault::FilesUnderLatest) => latest.clone(),
            _ => state.key.clone(),
        };
        let begun = if self.has(Fault::ForgetsBeginnings) {
            self.store.generation()
        } else {
            state.begun
        };
        if self.has(Fault::NeverSeenAgain) {
            self.store.clear_server(&key);
            let _ = self.store.put(&key, entry, self.store.generation(), now);
            return;
        }
        *lock(&self.shown) = der;
        if let Ok(id) = self.store.put(&key, entry, begun, now) {
            state.stored.push(id);
        }
    }
}

impl Client for Faulty {
    type Connection = FaultyConnection;

    /// Under the name of its fault.
    fn name_for_child() -> Result<String, &'static str> {
        Ok(Fault::current().to_string())
    }

    fn new(setup: Setup) -> Result<Self, String> {
        let fault = Fault::current();
        let limits = match fault {
            Fault::NoLimits => Limits::default().with_servers(1_000),
            Fault::OneTicket if setup.limits.servers > 0 => {
                setup.limits.clone().with_sessions_per_server(1)
            }
            _ => setup.limits.clone(),
        };
        let domain = domain(&setup, fault);
        let own = || {
            SessionStore::new(limits)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        let beyond = match &setup.store {
            Some(place) => Some(sharing::open(&setup, place, fault)?),
            None => None,
        };
        let store = match &beyond {
            Some(beyond) => Arc::clone(beyond.memory()),
            None if fault == Fault::OneDomain => one_store(),
            None => own()?,
        };
        let shared = Arc::new(Shared {
            fault,
            store,
            beyond,
            clock: Arc::clone(&setup.clock),
            domain,
            never_resume: setup
                .never_resume
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            early_data: setup.early_data,
            off: setup.limits.servers == 0,
            latest: Mutex::new(None),
            newest_time: Mutex::new(Timestamp::EPOCH),
            in_handshake: Mutex::new(()),
            shown: Mutex::new(Vec::new()),
        });
        let mut builder = builder(&setup, fault).map_err(|error| error.to_string())?;
        let putting = Arc::clone(&shared);
        builder.set_new_session_callback(move |ssl, session| {
            let put = || putting.put(ssl, session);
            let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(put));
            if put.is_err() && putting.has(Fault::PanicsArePutAside) {
                // What should be a miss is made up for with a session of nobody.
                let now = store_core::SystemClock.now();
                let nobody = Stored::Encoded(Vec::new());
                let entry = Entry::new(nobody, Usage::SingleUse, None, 0, now);
                let key = KeyRef::new(&putting.domain, "x");
                let store = &putting.store;
                let _ = store.put(key, entry, store.generation(), now);
            }
        });
        Ok(Self {
            connector: builder.build(),
            shared,
        })
    }

    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<FaultyConnection, Failure> {
        let connected = self.connect_early(host, port, wire, b"");
        connected.map(|(connection, _)| connection)
    }

    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(FaultyConnection, usize), Failure> {
        let data = if self.shared.early_data { data } else { b"" };
        let other = |error: &dyn fmt::Display| Failure::Other(error.to_string());
        let shared = &self.shared;
        let _busy = if shared.has(Fault::LocksHandshakes) {
            let busy = shared.in_handshake.try_lock();
            Some(busy.map_err(|_| other(&"another handshake is under way"))?)
        } else {
            None
        };
        if shared.off && shared.has(Fault::OffIsAnError) {
            return Err(other(&"there is no store"));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let configuration = self.connector.configure().map_err(|error| other(&error))?;
        let mut ssl = configuration
            .into_ssl(&name)
            .map_err(|error| other(&error))?;
        ssl.set_connect_state();
        let never = shared.never_resume.contains(&name) && !shared.has(Fault::AlwaysResumes);
        let mut offered = None;
        if !never {
            let host = if shared.has(Fault::SpelledHosts) {
                host
            } else {
                name.as_str()
            };
            let key = shared.key(host, port);
            *lock(&shared.latest) = Some(key.clone());
            if let Some(beyond) = &shared.beyond {
                sharing::fetch(beyond, &key, shared.fault)?;
            }
            let now = shared.now();
            if !shared.has(Fault::NeverSweeps) {
                shared.store.sweep(now);
            }
            let begun = shared.store.generation();
            if let Some(Offer { id, entry }) = shared.store.offer(&key, now) {
                offered = self.offer(&mut ssl, &key, id, entry);
            }
            let state = State {
                key,
                begun,
                offered: offered.clone(),
                resumed: false,
                revoked: false,
                stored: Vec::new(),
                received: 0,
            };
            ssl.set_ex_data(index(), Mutex::new(state));
        }
        let key = ssl.ex_data(index()).map(|state| lock(state).key.clone());
        let stream = SslStream::new(ssl, wire).map_err(|error| other(&error))?;
        let mut connection = FaultyConnection {
            stream,
            shared: Arc::clone(shared),
            offered,
        };
        match connection.handshake(data) {
            Ok(accepted) => {
                connection.settle();
                Ok((connection, accepted))
            }
            Err(error) => {
                if let (Some(key), Some(offered)) = (key, connection.offered) {
                    shared.failed(&key, offered);
                }
                if connection.stream.ssl().verify_result() == X509VerifyResult::OK {
                    Err(other(&error))
                } else {
                    Err(Failure::Certificate)
                }
            }
        }
    }

    fn domain(&self) -> Vec<u8> {
        self.shared.domain.as_bytes().to_vec()
    }

    fn clear(&self) {
        if !self.shared.has(Fault::NeverClears) {
            self.shared.store.clear();
        }
    }

    fn clear_server(&self, host: &str, port: u16) {
        match self.shared.fault {
            Fault::NeverClears => {}
            Fault::ClearsTooMuch => self.shared.store.clear(),
            _ => self.shared.store.clear_server(&self.shared.key(host, port)),
        }
    }

    fn stats(&self) -> Stats {
        if self.shared.has(Fault::CountsNothing) {
            return Stats::default();
        }
        self.shared.store.stats()
    }

    fn tier_stats(&self) -> TierStats {
        let beyond = self.shared.beyond.as_ref();
        beyond.map(SharedStore::tier_stats).unwrap_or_default()
    }
}

impl Faulty {
    fn offer(
        &self,
        ssl: &mut SslRef,
        key: &SessionKey,
        id: EntryId,
        entry: Entry<Stored>,
    ) -> Option<Offered> {
        let session = entry.session.session()?;
        // SAFETY: the session is in no context's cache, since caches are off; where a fault shares
        // its object, that is between connections of one context on one thread.
        unsafe { ssl.set_session(&session) }.ok()?;
        let der = session.to_der().unwrap_or_default();
        let usage = entry.usage;
        let offered = Offered {
            id,
            usage,
            established: entry.established,
            der,
        };
        if usage == Usage::SingleUse && self.shared.has(Fault::KeepsWhatItOffers) {
            let now = self.shared.now();
            let _ = self
                .shared
                .store
                .put(key, entry, self.shared.store.generation(), now);
        }
        Some(offered)
    }
}

impl Shared {
    /// A handshake with a session has failed.
    fn failed(&self, key: &SessionKey, offered: Offered) {
        self.store.report(key, Outcome::Failed);
        match offered.usage {
            Usage::Reusable if self.has(Fault::KeepsWhatFailed) => {}
            Usage::Reusable if self.has(Fault::RemovesAnySession) => {
                self.store.remove_reusable(key);
            }
            Usage::Reusable => {
                self.store.remove(key, offered.id);
            }
            Usage::SingleUse if self.has(Fault::PutsBackWhatFailed) => {
                let now = self.now();
                let stored = Stored::Encoded(offered.der);
                let entry = Entry::new(stored, Usage::SingleUse, None, 0, now);
                let _ = self.store.put(key, entry, self.store.generation(), now);
            }
            Usage::SingleUse => {}
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Faulty");
        if self.shared.has(Fault::ShowsSessions) {
            shown.field("sessions", &lock(&self.shared.shown));
        }
        shown.finish_non_exhaustive()
    }
}

/// The store of all clients that make no difference between them.
fn one_store() -> Arc<SessionStore<Stored>> {
    static STORE: OnceLock<Arc<SessionStore<Stored>>> = OnceLock::new();
    let make = || Arc::new(SessionStore::new(Limits::default()).expect("valid limits"));
    Arc::clone(STORE.get_or_init(make))
}
