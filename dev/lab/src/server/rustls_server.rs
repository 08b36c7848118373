//! The server on rustls.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{
    HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion, version,
};

use super::connection::{Engine, Negotiated};
use super::settings::{Group, Protocol, ServerResumption, ServerSettings};
use super::ticket_observer::TicketObserver;
use super::ticketer::{LifetimeTicketer, ObservedTicketer};

/// The capacity of the session cache, which evicts the oldest session.
const CACHED_SESSIONS: usize = 16 * 1024;

/// The configuration that all connections of a server share.
#[derive(Clone)]
pub(super) struct Context {
    config: Arc<ServerConfig>,
    /// The ticketer of `config`, if tickets are self-contained.
    ticketer: Option<Arc<LifetimeTicketer>>,
}

impl Context {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        let mut config = config(settings);
        let self_contained =
            settings.resumption == ServerResumption::Tickets && !settings.caches_sessions();
        let ticketer = self_contained.then(|| Arc::new(ticketer(settings)));
        if let Some(ticketer) = &ticketer {
            config.ticketer = ticketer.clone();
        }
        Self {
            config: Arc::new(config),
            ticketer,
        }
    }

    /// The configuration of one connection.
    fn config(&self, observer: Option<Arc<TicketObserver>>) -> Arc<ServerConfig> {
        let Some((observer, ticketer)) = observer.zip(self.ticketer.clone()) else {
            return self.config.clone();
        };
        let mut config = ServerConfig::clone(&self.config);
        config.ticketer = Arc::new(ObservedTicketer::new(ticketer, observer));
        Arc::new(config)
    }
}

fn config(settings: &ServerSettings) -> ServerConfig {
    assert!(
        !settings.groups.is_empty(),
        "a server needs at least one group"
    );
    let mut provider = CryptoProvider {
        kx_groups: settings.groups.iter().copied().map(group).collect(),
        ..default_provider()
    };
    if let Some(ciphers) = &settings.rustls.ciphers {
        let supported = |suite: &SupportedCipherSuite| ciphers.contains(&suite.suite());
        provider.cipher_suites.retain(supported);
    }
    let provider = Arc::new(provider);
    let versions: Vec<_> = settings.protocols.iter().copied().map(protocol).collect();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .expect("the provider has cipher suites for these protocols");
    let builder = match &settings.client_root {
        Some(_) => builder.with_client_cert_verifier(client_verifier(settings, provider)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(
            settings.identity.chain.clone(),
            settings.identity.key.clone_key(),
        )
        .expect("the identity's key belongs to its certificate");

    config.alpn_protocols.clone_from(&settings.alpn);
    config.max_early_data_size = settings.max_early_data;
    config.send_tls13_tickets = settings.tickets;
    if settings.caches_sessions() {
        config.session_storage = ServerSessionMemoryCache::new(CACHED_SESSIONS);
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    if settings.resumption == ServerResumption::Off {
        config.send_tls13_tickets = 0;
    }
    config
}

fn ticketer(settings: &ServerSettings) -> LifetimeTicketer {
    if let Some(ticketer) = &settings.rustls.ticketer {
        return LifetimeTicketer::new(Arc::clone(ticketer), None);
    }
    let inner = match &settings.ticket_keys {
        Some(keys) => keys.rustls(),
        None => Ticketer::new().expect("the system has random bytes for ticket keys"),
    };
    LifetimeTicketer::new(inner, settings.lifetime)
}

fn client_verifier(
    settings: &ServerSettings,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    for root in settings.client_root.iter().cloned() {
        roots
            .add(root)
            .expect("the root for clients is a certificate");
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("there is a root for clients")
}

fn group(group: Group) -> &'static dyn SupportedKxGroup {
    match group {
        Group::X25519 => kx_group::X25519,
        Group::X25519MlKem768 => kx_group::X25519MLKEM768,
        Group::P256 => kx_group::SECP256R1,
    }
}

fn protocol(protocol: Protocol) -> &'static SupportedProtocolVersion {
    match protocol {
        Protocol::Tls12 => &version::TLS12,
        Protocol::Tls13 => &version::TLS13,
    }
}

/// A connection of a rustls server.
pub(super) struct Connection {
    tls: rustls::ServerConnection,
    early_data: Vec<u8>,
    received: Vec<u8>,
    closed: bool,
    client_closed: bool,
    failed: Option<String>,
}

impl Connection {
    pub(super) fn new(context: &Context, observer: Option<Arc<TicketObserver>>) -> Self {
        let mut tls = rustls::ServerConnection::new(context.config(observer))
            .expect("the configuration is valid");
        tls.set_buffer_limit(None); // an echo is as long as the data received
        Self {
            tls,
            early_data: Vec::new(),
            received: Vec::new(),
            closed: false,
            client_closed: false,
            failed: None,
        }
    }

    fn read(&mut self) {
        if let Some(mut early) = self.tls.early_data() {
            // Both reads fail with `WouldBlock` only.
            let before = self.received.len();
            let _ = early.read_to_end(&mut self.received);
            self.early_data.extend_from_slice(&self.received[before..]);
        }
        let _ = self.tls.reader().read_to_end(&mut self.received);
    }
}

impl Engine for Connection {
    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.failed.is_none() && !self.client_closed {
            let progress = self
                .tls
                .read_tls(&mut bytes)
                .map_err(|error| error.to_string())
                .and_then(|_| {
                    self.tls
                        .process_new_packets()
                        .map_err(|error| error.to_string())
                });
            match progress {
                Ok(state) => self.client_closed = state.peer_has_closed(),
                Err(reason) => self.failed = Some(reason),
            }
            self.read();
        }
    }

    fn send(&mut self, out: &mut Vec<u8>) {
        while self.tls.wants_write() {
            self.tls
                .write_tls(out)
                .expect("writing to a vector succeeds");
        }
    }

    fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    fn early_data(&self) -> &[u8] {
        &self.early_data
    }

    fn write(&mut self, data: &[u8]) {
        if !self.closed {
            let written = self.tls.writer().write_all(data);
            written.expect("the buffer has no limit");
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.tls.send_close_notify();
    }

    fn negotiated(&self) -> Option<Negotiated> {
        if self.tls.is_handshaking() {
            return None;
        }
        let protocol = match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_3 => Protocol::Tls13,
            _ => Protocol::Tls12,
        };
        let client_chain = self.tls.peer_certificates();
        Some(Negotiated {
            protocol,
            resumed: self.tls.handshake_kind()? == HandshakeKind::Resumed,
            client_leaf: client_chain.and_then(|chain| Some(chain.first()?.to_vec())),
            early_data: !self.early_data.is_empty(),
        })
    }

    fn export(&self, label: &str, context: Option<&[u8]>) -> Option<[u8; 32]> {
        let tls = &self.tls;
        tls.export_keying_material([0; 32], label.as_bytes(), context)
            .ok()
    }

    fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn client_closed(&self) -> bool {
        self.client_closed
    }
}
