//! The state of a client, and what its callbacks do with it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use conformance::{Door, Options};
use lab::server::{ticket_bytes, ticket_lifetime_hint};
use openssl::asn1::Asn1Time;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef, SslSession, SslVersion};
use openssl::x509::X509Ref;
use store_core::{
    Begun, Clock, Entry, EntryId, KeyRef, Outcome, SecurityDomain, SessionKey, SessionStore,
    Storable, Timestamp, Usage,
};
use store_tiers::SharedStore;

use super::fault::Fault;

/// A session in the store: encoded, or the object that OpenSSL has, too.
pub(crate) enum StoredSession {
    Encoded(Vec<u8>),
    Object(SslSession),
}

impl StoredSession {
    pub(crate) fn session(&self) -> Option<SslSession> {
        match self {
            Self::Encoded(der) => SslSession::from_der(der).ok(),
            Self::Object(session) => Some(session.clone()),
        }
    }
}

impl Storable for StoredSession {
    fn duplicate(&self) -> Option<Self> {
        Some(match self {
            Self::Encoded(der) => Self::Encoded(der.clone()),
            Self::Object(session) => Self::Object(session.clone()),
        })
    }
}

/// The state of a client, which its callbacks and connections share.
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct ClientState {
    pub(crate) fault: Fault,
    pub(crate) store: Arc<SessionStore<StoredSession>>,
    pub(crate) shared_store: Option<SharedStore<StoredSession>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) domain: SecurityDomain,
    /// In lower case.
    pub(crate) never_resume: Mutex<Vec<String>>,
    /// Whether there is a client certificate with which nothing is resumed.
    pub(crate) identity_never_resumes: bool,
    /// Whether TLS 1.3 tickets are offered until they are renewed.
    pub(crate) reuses_tickets: bool,
    pub(crate) early_data: bool,
    /// Whether the limits allow no session.
    pub(crate) no_store: bool,
    // For faults:
    pub(crate) latest_key: Mutex<Option<SessionKey>>,
    pub(crate) latest_time: Mutex<Timestamp>,
    pub(crate) handshake_lock: Mutex<()>,
    pub(crate) latest_session: Mutex<Vec<u8>>,
}

/// The state of a connection, in its `ex_data`.
pub(crate) struct ConnectionState {
    pub(crate) key: SessionKey,
    pub(crate) begun: Begun,
    pub(crate) offered: Option<Offered>,
    pub(crate) manner: Manner,
    pub(crate) resumed: bool,
    pub(crate) revoked: bool,
    pub(crate) stored: Vec<EntryId>,
    pub(crate) received: usize,
}

/// How a connection uses the store.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Whether it offers a session.
    pub(crate) offers: bool,
    /// Whether it reports how it ends, or only that it succeeded, as with a `ClientConfig`.
    pub(crate) reports: bool,
}

impl Manner {
    pub(crate) fn through(door: Door) -> Self {
        Self {
            offers: true,
            reports: door != Door::ClientConfig,
        }
    }
}

/// The session that a connection offered.
#[derive(Clone)]
pub(crate) struct Offered {
    pub(crate) id: EntryId,
    pub(crate) usage: Usage,
    pub(crate) established: Timestamp,
    pub(crate) der: Vec<u8>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `ex_data` index of a [`ConnectionState`].
pub(crate) fn index() -> Index<Ssl, Mutex<ConnectionState>> {
    static INDEX: OnceLock<Index<Ssl, Mutex<ConnectionState>>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("memory for an index"))
}

/// The earliest `notAfter` of the server's certificate, which a resumed session has too, and of the
/// client's.
fn certificates_expire(ssl: &SslRef) -> Timestamp {
    let epoch = Asn1Time::from_unix(0).expect("a time");
    let seconds = |certificate: &X509Ref| {
        let since = epoch.diff(certificate.not_after()).expect("a difference");
        i64::from(since.days) * 24 * 60 * 60 + i64::from(since.secs)
    };
    let server = ssl
        .peer_certificate()
        .map(|certificate| seconds(&certificate));
    let own = ssl.certificate().map(seconds);
    let earliest = server.into_iter().chain(own).min();
    earliest.map_or(Timestamp::NEVER, |seconds| {
        Timestamp::from_unix(Duration::from_secs(seconds.unsigned_abs()))
    })
}

impl ClientState {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let mut latest = lock(&self.latest_time);
        *latest = match self.fault {
            Fault::ClockNeverGoesBack => now.max(*latest),
            Fault::ClockStandsStill if *latest > Timestamp::EPOCH => *latest,
            _ => now,
        };
        *latest
    }

    /// The domain of a partition's sessions.
    pub(crate) fn domain_of(&self, partition: Option<&str>) -> SecurityDomain {
        let ignores = self.has(Fault::IgnoresPartition) || self.has(Fault::PartitionsHaveNoShares);
        match partition {
            Some(name) if !ignores => SecurityDomain::builder("faulty partition")
                .field("client", self.domain.as_bytes())
                .field("name", name.as_bytes())
                .finish(),
            _ => self.domain,
        }
    }

    /// Whether no connection to this server, in lower case, resumes.
    pub(crate) fn never_resumes(&self, host: &str, port: u16) -> bool {
        let never = lock(&self.never_resume);
        let with_port = format!("{host}:{port}");
        let by_host = never.iter().any(|server| *server == host);
        let by_port = never.contains(&with_port) && !self.has(Fault::IgnoresNeverResumePort);
        (by_host || by_port) && !self.has(Fault::IgnoresNeverResume) || self.identity_never_resumes
    }

    pub(crate) fn key(&self, host: &str, port: u16, options: &Options) -> SessionKey {
        let host = if self.has(Fault::IgnoresHost) {
            "any"
        } else {
            host
        };
        let domain = self.domain_of(options.partition.as_deref());
        let named = match &options.partition {
            Some(name) if self.has(Fault::PartitionsHaveNoShares) => format!("{name}/{host}"),
            _ => host.to_owned(),
        };
        let mut key = KeyRef::new(&domain, &named);
        let address = options.address.map(|address| address.to_string());
        if let Some(address) = address
            .as_ref()
            .filter(|_| self.has(Fault::AddressesAreServers))
        {
            key = key.with_endpoint(address.as_bytes());
        }
        if let Some(endpoint) = &options.endpoint
            && !self.has(Fault::IgnoresEndpoint)
        {
            key = key.with_endpoint(endpoint.as_bytes());
        }
        if !self.has(Fault::IgnoresPort) {
            key = key.with_port(port);
        }
        if self.has(Fault::DistinguishesSpellings) {
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
        if state.revoked && !self.has(Fault::StoresAfterForget) {
            return;
        }
        if state.offered.is_some() && self.has(Fault::ReusesFirstTicket) {
            return;
        }
        let now = self.now();
        let single_use = session.protocol_version() == SslVersion::TLS1_3;
        let usage = match self.fault {
            Fault::ReusesTickets | Fault::ReusesFirstTicket => Usage::Reusable,
            Fault::UsesReusableOnce => Usage::SingleUse,
            _ if single_use && !self.reuses_tickets => Usage::SingleUse,
            _ => Usage::Reusable,
        };
        let der = session.to_der().unwrap_or_default();
        let lifetime = if self.has(Fault::IgnoresServerLifetime) {
            None
        } else {
            ticket_lifetime_hint(&session)
        };
        let size = if self.has(Fault::HidesTicketSize) {
            0
        } else {
            ticket_bytes(&session)
        };
        let stored = if self.has(Fault::SharesSessionObject) {
            StoredSession::Object(session)
        } else {
            StoredSession::Encoded(der.clone())
        };
        let entry = Entry::new(stored, usage, lifetime, der.len(), now);
        let mut entry = entry.with_ticket_bytes(size);
        let established = state.offered.as_ref().map(|offered| offered.established);
        if state.resumed && !self.has(Fault::RenewalsResetAge) {
            entry.established = established.unwrap_or(now);
        }
        if !self.has(Fault::IgnoresCertificateExpiry) {
            entry = entry.expires_by(certificates_expire(ssl));
        }
        let key = match &*lock(&self.latest_key) {
            Some(latest) if self.has(Fault::StoresForLatestServer) => latest.clone(),
            _ => state.key.clone(),
        };
        let ignores_clear =
            self.has(Fault::StoresAfterClear) || self.has(Fault::StoresAfterClearPartition);
        let begun = if ignores_clear {
            self.store.generation().into()
        } else {
            state.begun
        };
        if self.has(Fault::ForgetsEarlierUse) {
            self.store.clear_server(&key);
            let _ = self.store.put(&key, entry, self.store.generation(), now);
            return;
        }
        *lock(&self.latest_session) = der;
        // A put frees what has expired by its own time.
        let put_time = if self.has(Fault::NeverSweeps) {
            Timestamp::EPOCH
        } else {
            now
        };
        if let Ok(id) = self.store.put(&key, entry, begun, put_time) {
            state.stored.push(id);
        }
    }

    /// A handshake that offered a session has failed.
    pub(crate) fn failed(&self, key: &SessionKey, offered: Offered, manner: Manner) {
        if manner.reports && !self.has(Fault::ReportsNothing) {
            self.store.report(key, Outcome::Failed, self.now());
        }
        if self.has(Fault::ClearsAfterFailure) {
            self.store.clear_server(key);
        }
        match offered.usage {
            Usage::Reusable if self.has(Fault::KeepsFailedReusable) => {}
            Usage::Reusable if self.has(Fault::RemovesNewerReusable) => {
                self.store.remove_reusable(key);
            }
            Usage::Reusable => {
                self.store.remove(key, offered.id);
            }
            Usage::SingleUse if self.has(Fault::ReturnsFailedTickets) => {
                let now = self.now();
                let stored = StoredSession::Encoded(offered.der);
                let entry = Entry::new(stored, Usage::SingleUse, None, 0, now);
                let _ = self.store.put(key, entry, self.store.generation(), now);
            }
            Usage::SingleUse => {}
        }
    }
}
