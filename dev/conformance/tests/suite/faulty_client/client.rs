//! A client over OpenSSL that has one fault, or none.
//!
//! Without a fault it follows every rule, in the simplest way: it encodes each session when it is
//! received, and decodes it for each connection. So the rules need nothing that only the backends
//! have.

use std::fmt;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, OnceLock};

use conformance::{Client, Door, Failure, Options, Setup, Wire};
use lab::certificate::Identity;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslRef, SslSession, SslStream};
use openssl::x509::X509VerifyResult;
use store_core::{
    AddressId, Begun, Clock, Entry, EntryId, KeyRef, Limits, LookUp, Offer, SecurityDomain,
    SessionKey, SessionStore, SystemClock, Timestamp, Usage, Want,
};
use store_tiers::SharedStore;
use tls_resume::{ReuseTickets, Stats, TierStats};

use super::connection::FaultyConnection;
use super::fault::Fault;
use super::setup::{builder, domain};
use super::state::{ClientState, ConnectionState, Manner, Offered, StoredSession, index, lock};
use super::tier;

/// The client.
pub(crate) struct FaultyClient {
    connector: SslConnector,
    /// Contexts that offer one group first: the crate `openssl` sets groups on contexts only.
    by_group: Vec<(u16, SslConnector)>,
    pub(super) state: Arc<ClientState>,
    pub(super) setup: Setup,
}

impl Client for FaultyClient {
    type Connection = FaultyConnection;
    const NO_OPTIONS: Option<&'static str> = None;
    const NO_KIN: Option<&'static str> = None;

    /// The name of its fault.
    fn name_for_child() -> Result<String, &'static str> {
        Ok(Fault::current().to_string())
    }

    fn new(setup: Setup) -> Result<Self, String> {
        let fault = Fault::current();
        let limits = match fault {
            Fault::IgnoresLimits => Limits::default().with_servers(1_000),
            Fault::StoresOneTicket if setup.limits.servers > 0 => {
                setup.limits.clone().with_sessions_per_server(1)
            }
            _ => setup.limits.clone(),
        };
        let new_store = || {
            SessionStore::new(limits)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        let shared_store = match &setup.store {
            Some(store) => Some(tier::open(&setup, store, fault)?),
            None => None,
        };
        let store = match &shared_store {
            Some(shared_store) => Arc::clone(shared_store.memory()),
            None if fault == Fault::IgnoresSettings => common_store(),
            None => new_store()?,
        };
        Self::over(setup, store, shared_store, None)
    }

    fn with_identity(&self, identity: Identity) -> Result<Self, String> {
        let identity = Some(identity);
        let setup = Setup {
            identity,
            ..self.setup.clone()
        };
        let kept = self.state.has(Fault::KeepsDomainOnRotation);
        let kept = kept.then_some(self.state.domain);
        Self::over(setup, Arc::clone(&self.state.store), None, kept)
    }

    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<FaultyConnection, Failure> {
        let connected = self.connect_early(host, port, wire, b"");
        connected.map(|(connection, _)| connection)
    }

    fn visit_through(
        &self,
        door: Door,
        host: &str,
        port: u16,
        wire: Option<Wire>,
    ) -> Result<bool, Failure> {
        match wire {
            Some(wire) => self.visit(host, port, wire, Manner::through(door)),
            None => self.dial(host, port),
        }
    }

    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(FaultyConnection, usize), Failure> {
        let manner = Manner::through(Door::Blocking);
        self.open(host, port, wire, data, (manner, &Options::default()))
    }

    fn connect_with(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        options: &Options,
    ) -> Result<FaultyConnection, Failure> {
        if options.keep_session {
            return self.connect_keeping(host, port, wire);
        }
        let manner = Manner::through(Door::Blocking);
        let connected = self.open(host, port, wire, b"", (manner, options));
        connected.map(|(connection, _)| connection)
    }

    fn connect_kin(
        &self,
        connection: &FaultyConnection,
        wire: Wire,
    ) -> Result<FaultyConnection, Failure> {
        self.resume_kept(connection, wire)
    }

    fn clear_partition(&self, name: &str) {
        if self.state.has(Fault::ClearPartitionClearsAll) {
            return self.state.store.clear();
        }
        let domain = self.state.domain_of(Some(name));
        self.state.store.clear_domain(&domain);
    }

    fn set_never_resume(&self, servers: &[String]) {
        if !self.state.has(Fault::NeverResumeIsFixed) {
            *lock(&self.state.never_resume) = lower_case(servers);
        }
    }

    fn domain(&self) -> Vec<u8> {
        self.state.domain.as_bytes().to_vec()
    }

    fn clear(&self) {
        if !self.state.has(Fault::IgnoresClear) {
            self.state.store.clear();
        }
    }

    fn clear_server(&self, host: &str, port: u16) {
        match self.state.fault {
            Fault::IgnoresClear => {}
            Fault::ClearServerClearsAll => self.state.store.clear(),
            _ => {
                let key = self.state.key(host, port, &Options::default());
                self.state.store.clear_server(&key);
            }
        }
    }

    fn stats(&self) -> Stats {
        if self.state.has(Fault::CountsNothing) {
            return Stats::default();
        }
        self.state.store.stats()
    }

    fn tier_stats(&self) -> TierStats {
        let shared_store = self.state.shared_store.as_ref();
        shared_store
            .map(SharedStore::tier_stats)
            .unwrap_or_default()
    }
}

fn put_in_callback(client: &ClientState, ssl: &SslRef, session: SslSession) {
    let put = || client.put(ssl, session);
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(put));
    if put.is_err() && client.has(Fault::StoresAfterPanic) {
        let now = SystemClock.now();
        let session = StoredSession::Encoded(Vec::new());
        let entry = Entry::new(session, Usage::SingleUse, None, 0, now);
        let key = KeyRef::new(&client.domain, "x");
        let _ = client.store.put(key, entry, client.store.generation(), now);
    }
}

impl FaultyClient {
    /// A client onto a store, in the domain of its setup unless one is kept.
    pub(super) fn over(
        setup: Setup,
        store: Arc<SessionStore<StoredSession>>,
        shared_store: Option<SharedStore<StoredSession>>,
        kept_domain: Option<SecurityDomain>,
    ) -> Result<Self, String> {
        let fault = Fault::current();
        let state = Arc::new(ClientState {
            fault,
            store,
            shared_store,
            clock: Arc::clone(&setup.clock),
            domain: kept_domain.unwrap_or_else(|| domain(&setup, fault)),
            never_resume: Mutex::new(lower_case(&setup.never_resume)),
            identity_never_resumes: setup.identity.is_some()
                && !setup.resume_with_client_certificate
                && fault != Fault::ResumesWithClientCertificate,
            reuses_tickets: setup.reuse_tickets != ReuseTickets::Never
                && fault != Fault::UsesTicketsOnce,
            early_data: setup.early_data,
            no_store: setup.limits.servers == 0,
            latest_key: Mutex::new(None),
            latest_time: Mutex::new(Timestamp::EPOCH),
            handshake_lock: Mutex::new(()),
            latest_session: Mutex::new(Vec::new()),
        });
        let context = |groups: &str| {
            let mut builder = builder(&setup, fault)?;
            builder.set_groups_list(groups)?;
            let in_callback = Arc::clone(&state);
            builder.set_new_session_callback(move |ssl, session| {
                put_in_callback(&in_callback, ssl, session);
            });
            Ok(builder.build())
        };
        let contexts = || {
            let only = fault == Fault::OffersLastGroupOnly;
            let [p256, x25519] = if only {
                ["P-256", "X25519"]
            } else {
                ["P-256:X25519", "X25519:P-256"]
            };
            let by_group = vec![(23, context(p256)?), (29, context(x25519)?)];
            Ok((context("X25519:P-256")?, by_group))
        };
        let (connector, by_group) = contexts().map_err(|error: ErrorStack| error.to_string())?;
        Ok(Self {
            connector,
            by_group,
            state,
            setup,
        })
    }

    /// Makes a connection to its end.
    fn visit(&self, host: &str, port: u16, wire: Wire, manner: Manner) -> Result<bool, Failure> {
        let how = (manner, &Options::default());
        let (connection, _) = self.open(host, port, wire, b"", how)?;
        connection.finish()
    }

    /// Makes a TCP connection, and another one without a session if a session may be to blame.
    fn dial(&self, host: &str, port: u16) -> Result<bool, Failure> {
        let wire = || {
            let connected = TcpStream::connect((host, port)).map(Wire::tcp);
            connected.map_err(|error| Failure::Other(error.to_string()))
        };
        let first = Manner::through(Door::Blocking);
        let (failed, state) = (self.state.store.stats().failed, &self.state);
        let visit = self.visit(host, port, wire()?, first);
        let of_session = state.store.stats().failed > failed;
        if visit.is_ok() || !of_session || state.has(Fault::NeverRetries) {
            return visit;
        }
        let key = state.key(host, port, &Options::default());
        state.store.count_retry(&key);
        let second = Manner {
            offers: false,
            ..first
        };
        self.visit(host, port, wire()?, second)
    }

    /// Makes a handshake with as much of `data` as early data as the session allows.
    fn open(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
        (manner, options): (Manner, &Options),
    ) -> Result<(FaultyConnection, usize), Failure> {
        let data = if self.state.early_data { data } else { b"" };
        let other = |error: &dyn fmt::Display| Failure::Other(error.to_string());
        let state = &self.state;
        let _guard = if state.has(Fault::LocksHandshakes) {
            let guard = state.handshake_lock.try_lock();
            Some(guard.map_err(|_| other(&"another handshake is under way"))?)
        } else {
            None
        };
        if state.no_store && state.has(Fault::NoStoreIsAnError) {
            return Err(other(&"no store"));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let hint = state.store.hint(&state.key(&name, port, options));
        let hinted = self.by_group.iter().find(|(group, _)| Some(*group) == hint);
        let connector = hinted.map_or(&self.connector, |(_, connector)| connector);
        let configuration = connector.configure().map_err(|error| other(&error))?;
        let mut ssl = configuration
            .into_ssl(&name)
            .map_err(|error| other(&error))?;
        ssl.set_connect_state();
        let is_off = !options.resumption && !state.has(Fault::IgnoresResumptionOff);
        let never = is_off || state.never_resumes(&name, port);
        let mut offered = None;
        if !never {
            let host = if state.has(Fault::DistinguishesSpellings) {
                host
            } else {
                name.as_str()
            };
            let key = state.key(host, port, options);
            *lock(&state.latest_key) = Some(key.clone());
            if let Some(shared_store) = &state.shared_store {
                tier::fetch(shared_store, &key, state.fault)?;
            }
            let now = state.now();
            if !state.has(Fault::NeverSweeps) {
                state.store.sweep(now);
            }
            let (begun, offer) = self.look_up(&key, manner, options);
            if let Some(Offer { id, entry }) = offer {
                offered = self.offer(&mut ssl, &key, id, entry);
            }
            let state = ConnectionState {
                key,
                begun,
                offered: offered.clone(),
                manner,
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
            client: Arc::clone(state),
            offered,
            kept: None,
        };
        match connection.handshake(data) {
            Ok(accepted) => {
                connection.record_outcome();
                Ok((connection, accepted))
            }
            Err(error) => {
                if let (Some(key), Some(offered)) = (key, connection.offered) {
                    state.failed(&key, offered, manner);
                }
                if connection.stream.ssl().verify_result() == X509VerifyResult::OK {
                    Err(other(&error))
                } else {
                    Err(Failure::Certificate)
                }
            }
        }
    }

    /// Looks up the session that a connection offers.
    fn look_up(
        &self,
        key: &SessionKey,
        manner: Manner,
        options: &Options,
    ) -> (Begun, Option<Offer<StoredSession>>) {
        let (store, state) = (&self.state.store, &self.state);
        if !manner.offers {
            return (store.generation().into(), None);
        }
        let address = options
            .address
            .filter(|_| !state.has(Fault::IgnoresAddress));
        let look_up = LookUp {
            want: Want::Any,
            address: address.map(AddressId::from),
            reports: manner.reports || state.has(Fault::ReportsNothing),
        };
        let start = store.begin(key, look_up, state.now(), |_| true);
        (start.begun, start.offer)
    }

    fn offer(
        &self,
        ssl: &mut SslRef,
        key: &SessionKey,
        id: EntryId,
        entry: Entry<StoredSession>,
    ) -> Option<Offered> {
        let session = entry.session.session()?;
        // SAFETY: the session is in no context's cache, since caches are off; a fault shares its
        // object only between connections of one context on one thread.
        unsafe { ssl.set_session(&session) }.ok()?;
        let der = session.to_der().unwrap_or_default();
        let usage = entry.usage;
        let offered = Offered {
            id,
            usage,
            established: entry.established,
            der,
        };
        if usage == Usage::SingleUse && self.state.has(Fault::KeepsOfferedTickets) {
            let now = self.state.now();
            let _ = self
                .state
                .store
                .put(key, entry, self.state.store.generation(), now);
        }
        Some(offered)
    }
}

impl fmt::Debug for FaultyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FaultyClient");
        if self.state.has(Fault::DebugShowsSessions) {
            shown.field("sessions", &lock(&self.state.latest_session));
        }
        shown.finish_non_exhaustive()
    }
}

fn lower_case(servers: &[String]) -> Vec<String> {
    servers.iter().map(|it| it.to_ascii_lowercase()).collect()
}

/// The store of all clients with [`Fault::IgnoresSettings`].
fn common_store() -> Arc<SessionStore<StoredSession>> {
    static STORE: OnceLock<Arc<SessionStore<StoredSession>>> = OnceLock::new();
    let make = || Arc::new(SessionStore::new(Limits::default()).expect("valid limits"));
    Arc::clone(STORE.get_or_init(make))
}
