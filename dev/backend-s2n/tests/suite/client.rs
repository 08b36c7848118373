//! The adapter as a client of the conformance suite.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use backend_s2n::{Connector, Error, Session, Sessions, Stream};
use conformance::{Client, Connection, Door, Failure, Setup, Store, Wire};
use lab::certificate::Identity;
use openssl::x509::X509;
use s2n_tls::config;
use s2n_tls::enums::Version;
use s2n_tls::security::Policy;
use store_core::{SecurityDomain, SessionStore};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{SharedSettings, SharedStore, Tier, key_file};
use tls_resume::{Protocol, ReadTimeout, Resumption, Stats, TierStats};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::blocking::finish;

/// Longer than a fetch from a working tier takes, and than a server delays its tickets.
const TICKET_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time between two tickets.
const TICKET_GAP: Duration = Duration::from_millis(20);

pub(crate) struct S2n {
    connector: Connector,
    never_resume: Vec<String>,
    shared: Option<SharedStore<Session>>,
}

#[derive(Debug)]
pub(crate) struct S2nConnection {
    stream: Stream<Wire>,
    /// Data received while tickets were read.
    data: Vec<u8>,
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

fn other(error: impl fmt::Display) -> Failure {
    Failure::Other(text(error))
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Tls(error) if error.name().starts_with("S2N_ERR_CERT") => Failure::Certificate,
        error => other(error),
    }
}

/// A security policy for these versions. s2n-tls has named policies only.
fn policy(protocols: &[Protocol]) -> Result<Policy, String> {
    let version = match protocols {
        [Protocol::Tls12] => "20240501",
        [Protocol::Tls13] => "AWS-CRT-SDK-TLSv1.3",
        _ => "default_tls13",
    };
    Policy::from_version(version).map_err(text)
}

fn builder(setup: &Setup) -> Result<config::Builder, String> {
    let mut builder = config::Builder::new();
    builder.with_system_certs(false).map_err(text)?;
    let policy = policy(&setup.protocols)?;
    builder.set_security_policy(&policy).map_err(text)?;
    for root in &setup.roots {
        let pem = X509::from_der(root).and_then(|root| root.to_pem());
        builder.trust_pem(&pem.map_err(text)?).map_err(text)?;
    }
    if let Some(identity) = &setup.identity {
        let (chain, key) = (identity.chain_pem(), identity.key_pem());
        let loaded = builder.load_pem(chain.as_bytes(), key.as_bytes());
        loaded.map_err(text)?;
    }
    let alpn = builder.set_application_protocol_preference(&setup.alpn);
    alpn.map_err(text)?;
    // Blinding would delay failures by half a minute, and there is no timing to hide.
    builder.set_max_blinding_delay(0).map_err(text)?;
    Ok(builder)
}

fn domain(setup: &Setup) -> SecurityDomain {
    let identity = setup.identity.iter();
    let chain = identity.clone().flat_map(|identity| &identity.chain);
    let key = identity.map(|identity| identity.key.secret_der());
    let protocols = setup.protocols.iter().map(ToString::to_string);
    SecurityDomain::builder("s2n-tls under test")
        .list("roots", &setup.roots)
        .list("client certificates", chain)
        .list("client key", key)
        .list("alpn", &setup.alpn)
        .list("protocols", protocols)
        .field("name", setup.domain.as_bytes())
        .finish()
}

/// Opens the store with the tier of a setup.
fn open(setup: &Setup, location: &Store) -> Result<SharedStore<Session>, String> {
    let ring = key_file::read_or_create(&location.keys).map_err(text)?;
    let tier: Box<dyn Tier> = match location.url.strip_prefix("lmdb:") {
        Some(dir) => {
            Box::new(LmdbTier::open(Path::new(dir), LmdbSettings::default()).map_err(text)?)
        }
        None => Box::new(RedisTier::new(&location.url, &RedisSettings::default()).map_err(text)?),
    };
    let (limits, clock) = (setup.limits.clone(), Arc::clone(&setup.clock));
    SharedStore::new(limits, tier, ring, SharedSettings::default(), clock).map_err(text)
}

impl Client for S2n {
    type Connection = S2nConnection;
    const NO_REUSE: Option<&'static str> = Some("backend-s2n uses each ticket once");
    const NO_KEY_SHARES: Option<&'static str> =
        Some("the Rust bindings of s2n-tls cannot set the groups of one connection");
    const NO_EARLY_DATA: Option<&'static str> =
        Some("the Rust bindings of s2n-tls cannot send early data");
    const NO_TASKS: Option<&'static str> =
        Some("all connections of s2n-tls are asynchronous: the first row is of these");
    const NO_CLIENT_CONFIG: Option<&'static str> =
        Some("a `ClientConfig` of rustls has no sessions of s2n-tls");
    const NO_DIALING: Option<&'static str> =
        Some("s2n-tls is given a connected transport, and cannot connect again");

    const HIDES_CERTIFICATES: Option<&'static str> =
        Some("the adapter to s2n-tls does not read when certificates expire");
    const NO_ROTATION: Option<&'static str> =
        Some("the client under test has a store of its own for each certificate");

    fn with_identity(&self, _: Identity) -> Result<Self, String> {
        Err("the store is this client's own".to_owned())
    }

    fn name_for_child() -> Result<String, &'static str> {
        Ok("s2n".to_owned())
    }

    fn new(setup: Setup) -> Result<Self, String> {
        let location = setup.store.as_ref();
        let shared = location.map(|it| open(&setup, it)).transpose()?;
        let store = match &shared {
            Some(shared) => Arc::clone(shared.memory()),
            None => Arc::new(SessionStore::new(setup.limits.clone()).map_err(text)?),
        };
        let sessions = Sessions::over(store, Arc::clone(&setup.clock));
        let connector = sessions.attach(builder(&setup)?, domain(&setup));
        Ok(Self {
            connector: connector.map_err(text)?,
            never_resume: setup.never_resume,
            shared,
        })
    }

    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<S2nConnection, Failure> {
        let name = host.strip_suffix('.').unwrap_or(host);
        let mut never_resume = self.never_resume.iter();
        let connected = if never_resume.any(|host| host.eq_ignore_ascii_case(name)) {
            finish(self.connector.connect_without_resumption(host, wire))
        } else {
            if let Some(shared) = &self.shared {
                shared.prefetch(self.connector.key(host, port), TICKET_TIMEOUT);
            }
            finish(self.connector.connect(host, port, wire))
        };
        let connected = connected.ok_or_else(|| other("the handshake timed out"))?;
        Ok(S2nConnection {
            stream: connected.map_err(failure)?,
            data: Vec::new(),
        })
    }

    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        _: &[u8],
    ) -> Result<(S2nConnection, usize), Failure> {
        Ok((self.connect(host, port, wire)?, 0))
    }

    fn visit_through(
        &self,
        _: Door,
        host: &str,
        port: u16,
        wire: Option<Wire>,
    ) -> Result<bool, Failure> {
        let wire = wire.ok_or_else(|| other("no transport"))?;
        let mut connection = self.connect(host, port, wire)?;
        let sent = finish(connection.stream.write_all(b"a"));
        sent.ok_or_else(|| other("the write timed out"))?
            .map_err(other)?;
        connection.read_data().map_err(other)?;
        let resumed = connection.stream.resumed();
        connection.close().map_err(other)?;
        Ok(resumed)
    }

    fn domain(&self) -> Vec<u8> {
        self.connector.security_domain().as_bytes().to_vec()
    }

    fn clear(&self) {
        self.connector.store().clear();
    }

    fn clear_server(&self, host: &str, port: u16) {
        let key = self.connector.key(host, port);
        self.connector.store().clear_server(key);
    }

    fn stats(&self) -> Stats {
        self.connector.store().stats()
    }

    fn tier_stats(&self) -> TierStats {
        let shared = self.shared.as_ref();
        shared.map(SharedStore::tier_stats).unwrap_or_default()
    }
}

impl fmt::Debug for S2n {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connector.fmt(f)
    }
}

impl S2nConnection {
    /// Reads the data that is there. Returns whether there was any.
    fn read_ahead(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 64];
        let mut buffer = ReadBuf::new(&mut buffer);
        let cx = &mut Context::from_waker(Waker::noop());
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(error.to_string()),
            Poll::Ready(Ok(())) => {
                self.data.extend_from_slice(buffer.filled());
                Ok(!buffer.filled().is_empty())
            }
        }
    }
}

impl Connection for S2nConnection {
    fn resumption(&self) -> Resumption {
        match (self.stream.offered(), self.stream.resumed()) {
            (_, true) => Resumption::Resumed,
            (true, false) => Resumption::Declined,
            (false, false) => Resumption::Full,
        }
    }

    fn read_tickets(&mut self) -> Result<usize, String> {
        if self.stream.connection().actual_protocol_version().ok() == Some(Version::TLS12) {
            return Ok(self.stream.tickets());
        }
        let start = Instant::now();
        loop {
            let (wire, before) = (self.stream.get_ref(), self.stream.tickets());
            // One poll waits this long after each ticket.
            wire.set_read_timeout(Some(TICKET_GAP)).map_err(text)?;
            let waits = wire.read_timeout().map_err(text)?.is_some();
            let more = self.read_ahead()?;
            let received = self.stream.tickets();
            let keeps_waiting = waits && received == 0 && start.elapsed() < TICKET_TIMEOUT;
            if !more && received == before && !keeps_waiting {
                return Ok(received);
            }
        }
    }

    fn read_data(&mut self) -> Result<usize, String> {
        if !self.data.is_empty() {
            return Ok(std::mem::take(&mut self.data).len());
        }
        let mut buffer = [0; 64];
        let read = finish(self.stream.read(&mut buffer)).ok_or("the read timed out")?;
        read.map_err(text)
    }

    fn forget(&self) {
        self.stream.forget();
    }

    fn close(mut self) -> Result<(), String> {
        let closed = finish(self.stream.shutdown()).ok_or("closing timed out")?;
        closed.map_err(text)
    }

    fn wire(&mut self) -> &mut Wire {
        self.stream.get_mut()
    }
}
