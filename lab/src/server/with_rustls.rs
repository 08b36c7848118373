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

use super::connection::{Engine, Outcome};
use super::ticketer::Expiring;
use super::{Group, Protocol, ServerResumption, ServerSettings};

/// Entries of the session cache. The oldest goes when it is full.
const CACHED_SESSIONS: usize = 16 * 1024;

pub(super) fn config(settings: &ServerSettings) -> Arc<ServerConfig> {
    assert!(
        !settings.groups.is_empty(),
        "a server needs at least one group"
    );
    let mut provider = CryptoProvider {
        kx_groups: settings.groups.iter().copied().map(group).collect(),
        ..default_provider()
    };
    if let Some(ciphers) = &settings.rustls.ciphers {
        let taken = |suite: &SupportedCipherSuite| ciphers.contains(&suite.suite());
        provider.cipher_suites.retain(taken);
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
    if settings.keeps_sessions() {
        config.session_storage = ServerSessionMemoryCache::new(CACHED_SESSIONS);
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match settings.resumption {
            ServerResumption::Off => config.send_tls13_tickets = 0,
            _ => config.ticketer = ticketer(settings),
        }
    }
    Arc::new(config)
}

fn ticketer(settings: &ServerSettings) -> Arc<dyn rustls::server::ProducesTickets> {
    if let Some(ticketer) = &settings.rustls.ticketer {
        return Arc::clone(ticketer);
    }
    let ticketer = Ticketer::new().expect("the system has random bytes for ticket keys");
    match settings.lifetime {
        Some(lifetime) => Arc::new(Expiring::new(ticketer, lifetime)),
        None => ticketer,
    }
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
    early_data: bool,
    closed: bool,
    client_closed: bool,
    failed: Option<String>,
}

impl Connection {
    pub(super) fn new(config: Arc<ServerConfig>) -> Self {
        let mut tls = rustls::ServerConnection::new(config).expect("the configuration is valid");
        tls.set_buffer_limit(None); // an echo is as long as what it answers
        Self {
            tls,
            early_data: false,
            closed: false,
            client_closed: false,
            failed: None,
        }
    }

    fn echo(&mut self) {
        let mut data = Vec::new();
        if let Some(mut early) = self.tls.early_data() {
            self.early_data = true;
            // Neither read can fail with anything but "nothing more for now".
            let _ = early.read_to_end(&mut data);
        }
        let _ = self.tls.reader().read_to_end(&mut data);
        if !self.closed {
            let written = self.tls.writer().write_all(&data);
            written.expect("the buffer has no limit");
        }
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
            self.echo();
        }
    }

    fn send(&mut self, out: &mut Vec<u8>) {
        while self.tls.wants_write() {
            self.tls.write_tls(out).expect("a vector takes everything");
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.tls.send_close_notify();
    }

    fn outcome(&self) -> Option<Outcome> {
        if self.tls.is_handshaking() {
            return None;
        }
        let protocol = match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_3 => Protocol::Tls13,
            _ => Protocol::Tls12,
        };
        Some(Outcome {
            protocol,
            resumed: self.tls.handshake_kind()? == HandshakeKind::Resumed,
            client_certificate: self.tls.peer_certificates().is_some(),
            early_data: self.early_data,
        })
    }

    fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn client_closed(&self) -> bool {
        self.client_closed
    }
}
