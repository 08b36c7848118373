//! What the rules are checked on: a client that resumes.

use std::fmt::Debug;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::certificate::Identity;
use serde::{Deserialize, Serialize};
use tls_resume::generic::{ConnectionInfo, Connector, ConnectorBuilder, Stream};
use tls_resume::openssl::OpenSsl;
use tls_resume::pki_types::CertificateDer;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{
    Backend, Clock, Error, ErrorKind, Limits, Protocol, Resumption, Shareable, Stats, TierStats,
};

use crate::wire::Wire;

/// A client under test. The connectors of tls-resume are three; a store of one's own, behind this
/// trait, is checked by the same claims.
pub trait Client: Debug + Send + Sync + Sized + 'static {
    /// A connection whose handshake is done.
    type Connection: Connection;
    /// Why the store of this client cannot see the lifetime that a server gives a session, if it
    /// cannot.
    const HIDES_LIFETIME: Option<&'static str> = None;
    /// Why nothing of this client runs inside callbacks of C, if so.
    const NO_CALLBACKS: Option<&'static str> = None;
    /// Why this client cannot send early data, if so.
    const NO_EARLY_DATA: Option<&'static str> = None;

    /// By what name a child process knows this client; or why its sessions cannot leave the memory
    /// of their process, so that there is nothing to share with a child.
    fn name_for_child() -> Result<String, &'static str>;
    /// A client with nothing in its memory.
    fn new(setup: Setup) -> Result<Self, String>;
    /// Makes a handshake.
    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<Self::Connection, Failure>;
    /// Makes a handshake and sends the beginning of `data` with its first message, as far as the
    /// setup and the session allow; how many bytes of it the server has accepted.
    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(Self::Connection, usize), Failure>;
    /// The security domain of its sessions.
    fn domain(&self) -> Vec<u8>;
    /// Empties the store.
    fn clear(&self);
    /// Removes the sessions of one server.
    fn clear_server(&self, host: &str, port: u16);
    /// What the store has done and holds.
    fn stats(&self) -> Stats;
    /// What was done beyond memory.
    fn tier_stats(&self) -> TierStats;
}

/// A connection under test.
pub trait Connection: Debug {
    /// What became of resumption, by the TLS library's own word.
    fn resumption(&self) -> Resumption;
    /// Reads what the server sends by itself, which is the tickets, and says how many came.
    fn read_tickets(&mut self) -> Result<usize, String>;
    /// Reads data once, and says how much came.
    fn read_data(&mut self) -> Result<usize, String>;
    /// Revokes what the connection stored.
    fn forget(&self);
    /// Says goodbye.
    fn close(self) -> Result<(), String>;
    /// The way to the server.
    fn wire(&mut self) -> &mut Wire;
}

/// What a client is told.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The roots to trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// What to prove itself with.
    pub identity: Option<Identity>,
    /// Application protocols to offer.
    pub alpn: Vec<Vec<u8>>,
    /// Versions of TLS to allow.
    pub protocols: Vec<Protocol>,
    /// Bounds of the store.
    pub limits: Limits,
    /// Name of the security domain.
    pub domain: String,
    /// Hosts never to resume with.
    pub never_resume: Vec<String>,
    /// Whether data may be sent before the handshake is done.
    pub early_data: bool,
    /// Where to take the time from.
    pub clock: Arc<dyn Clock>,
    /// Where to keep sessions beyond memory.
    pub store: Option<Store>,
}

/// A store beyond the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// `lmdb:DIR` or `redis://HOST:PORT`.
    pub url: String,
    /// The file with the keys.
    pub keys: PathBuf,
}

/// Why a handshake failed, as far as claims tell it apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server's certificate is refused.
    Certificate,
    /// Something else, in the library's words.
    Other(String),
}

/// How long a connection waits for what it is to be offered: much longer than connectors do, so
/// that what claims see does not depend on how busy the machine is.
const PATIENCE: Duration = Duration::from_secs(1);

/// A backend of tls-resume with what it cannot show and do.
trait Known: Backend {
    const HIDES_LIFETIME: Option<&'static str>;
    const NO_CALLBACKS: Option<&'static str>;
    const IN_A_CHILD: Result<&'static str, &'static str>;

    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String>;
    fn tier_stats(connector: &Connector<Self>) -> TierStats;
}

const IS_RUST: Option<&str> = Some("rustls is Rust: nothing unwinds into C");
const STAYS: &str = "sessions of rustls 0.23 cannot leave the memory of their process";

impl Known for Rustls {
    const HIDES_LIFETIME: Option<&'static str> =
        Some("rustls 0.23 does not show a session's lifetime");
    const NO_CALLBACKS: Option<&'static str> = IS_RUST;
    const IN_A_CHILD: Result<&'static str, &'static str> = Err(STAYS);

    fn share(_: ConnectorBuilder<Self>, _: Store) -> Result<ConnectorBuilder<Self>, String> {
        Err(STAYS.to_owned())
    }

    fn tier_stats(_: &Connector<Self>) -> TierStats {
        TierStats::default()
    }
}

impl Known for OpenSsl {
    const HIDES_LIFETIME: Option<&'static str> = None;
    const NO_CALLBACKS: Option<&'static str> = None;
    const IN_A_CHILD: Result<&'static str, &'static str> = Ok("openssl");

    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String> {
        Ok(shared(builder, store))
    }

    fn tier_stats(connector: &Connector<Self>) -> TierStats {
        connector.tier_stats().unwrap_or_default()
    }
}

impl Known for RustlsPreview {
    const HIDES_LIFETIME: Option<&'static str> = None;
    const NO_CALLBACKS: Option<&'static str> = IS_RUST;
    const IN_A_CHILD: Result<&'static str, &'static str> = Ok("rustls_preview");

    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String> {
        Ok(shared(builder, store))
    }

    fn tier_stats(connector: &Connector<Self>) -> TierStats {
        connector.tier_stats().unwrap_or_default()
    }
}

fn shared<B: Shareable>(builder: ConnectorBuilder<B>, store: Store) -> ConnectorBuilder<B> {
    let Store { url, keys } = store;
    builder.store(url).store_keys(keys).store_timeout(PATIENCE)
}

#[allow(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Certificate => Failure::Certificate,
        _ => Failure::Other(error.to_string()),
    }
}

#[allow(private_bounds, reason = "the three backends are all there are")]
impl<B: Known> Client for Connector<B> {
    type Connection = Stream<B, Wire>;
    const HIDES_LIFETIME: Option<&'static str> = B::HIDES_LIFETIME;
    const NO_CALLBACKS: Option<&'static str> = B::NO_CALLBACKS;

    fn name_for_child() -> Result<String, &'static str> {
        B::IN_A_CHILD.map(str::to_owned)
    }

    fn new(setup: Setup) -> Result<Self, String> {
        let mut builder = Self::builder()
            .roots(setup.roots)
            .alpn(setup.alpn)
            .protocols(setup.protocols)
            .limits(setup.limits)
            .domain(setup.domain)
            .never_resume(setup.never_resume)
            .early_data(setup.early_data)
            .clock(setup.clock);
        if let Some(Identity { chain, key }) = setup.identity {
            builder = builder.client_certificate(chain, key);
        }
        if let Some(store) = setup.store {
            builder = B::share(builder, store)?;
        }
        builder.build().map_err(|error| error.to_string())
    }

    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<Self::Connection, Failure> {
        self.connect_stream(host, port, wire).map_err(failure)
    }

    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(Self::Connection, usize), Failure> {
        self.connect_stream_early(host, port, wire, data)
            .map_err(failure)
    }

    fn domain(&self) -> Vec<u8> {
        self.security_domain().as_bytes().to_vec()
    }

    fn clear(&self) {
        Self::clear(self);
    }

    fn clear_server(&self, host: &str, port: u16) {
        Self::clear_server(self, host, port);
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn tier_stats(&self) -> TierStats {
        B::tier_stats(self)
    }
}

impl<B: Backend> Connection for Stream<B, Wire> {
    fn resumption(&self) -> Resumption {
        ConnectionInfo::resumption(self)
    }

    fn read_tickets(&mut self) -> Result<usize, String> {
        self.wait_for_tickets(Duration::from_secs(1))
            .map_err(|error| error.to_string())
    }

    fn read_data(&mut self) -> Result<usize, String> {
        let read = self.read(&mut [0; 64]);
        read.map_err(|error| error.to_string())
    }

    fn forget(&self) {
        ConnectionInfo::forget(self);
    }

    fn close(mut self) -> Result<(), String> {
        Self::close(&mut self).map_err(|error| error.to_string())
    }

    fn wire(&mut self) -> &mut Wire {
        self.get_mut()
    }
}
