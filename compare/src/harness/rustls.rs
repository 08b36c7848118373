//! The client on rustls.

mod in_hand;

use std::error::Error;
use std::io;
use std::sync::Arc;

use backend_rustls::{ConfigPool, PooledConnection, Sessions};
use lab::server::{Group, Protocol};
use lab::transport::InMemory;
use pki_types::{CertificateDer, ServerName};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use store_core::{HostRef, KeyRef, Limits, SecurityDomain};

use self::in_hand::InHand;
use super::scenario::{End, Groups, Scenario, Stack};
use super::store::Store;
use super::timer::Timer;
use super::tls_client::{
    Completed, HandshakeError, PORT, PendingHandshake, SERVER_NAME, TlsClient, group_id,
};

/// Capacity of rustls's own cache: as many servers as our store, with its 8 sessions each.
const RUSTLS_CACHE_SESSIONS: usize = 4_096 * 8;

/// A client; its configuration is built once.
pub(super) struct RustlsClient {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    tls_resume: Option<TlsResume>,
    end: End,
}

/// The store of tls-resume. Each connection gets a handle of its own.
struct TlsResume {
    domain: SecurityDomain,
    configs: ConfigPool,
}

impl RustlsClient {
    pub(super) fn new(
        scenario: Scenario,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, HandshakeError> {
        Self::build(scenario, root, store).map_err(HandshakeError::client)
    }

    fn build(
        scenario: Scenario,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, Box<dyn Error>> {
        let mut tls_resume = None;
        let mut config = config(scenario, root)?;
        config.resumption = Resumption::disabled();
        match store {
            Store::None => {}
            Store::InHand => config.resumption = Resumption::store(Arc::new(InHand::default())),
            Store::RustlsMemory => {
                config.resumption = Resumption::in_memory_sessions(RUSTLS_CACHE_SESSIONS);
            }
            Store::TlsResume => {
                tls_resume = Some(TlsResume {
                    domain: domain(),
                    configs: ConfigPool::new(config.clone(), Sessions::new(Limits::default())?),
                });
            }
            Store::TlsResumeShared => {
                let sessions = Sessions::new(Limits::default())?;
                let handle = sessions.shared_handle_in(domain()).with_port(PORT);
                config.resumption = handle.resumption();
            }
            Store::Custom(custom) => {
                let store = custom.make_rustls();
                let store = store.ok_or("the store is not for rustls")?;
                config.resumption = Resumption::store(store);
            }
            Store::TlsResumeStrip | Store::HyperOpenssl | Store::Der => {
                return Err(format!("rustls has no store {store}").into());
            }
        }
        Ok(Self {
            name: ServerName::try_from(SERVER_NAME)?,
            config: Arc::new(config),
            tls_resume,
            end: scenario.end,
        })
    }

    fn new_connection(&self, transport: InMemory) -> Result<Handshake, rustls::Error> {
        let name = self.name.clone();
        let timer = Timer::start(&transport);
        let (tls, resumption) = match &self.tls_resume {
            None => (ClientConnection::new(self.config.clone(), name)?, None),
            Some(ours) => {
                let host = HostRef::Name(SERVER_NAME);
                let key = KeyRef::from_host(&ours.domain, host).with_port(PORT);
                let handle = ours.configs.connection(key);
                let tls = ClientConnection::new(handle.config(), name)?;
                (tls, Some(handle))
            }
        };
        Ok(Handshake {
            timer,
            tls,
            resumption,
            transport,
            end: self.end,
        })
    }
}

impl TlsClient for RustlsClient {
    fn start(&self, transport: InMemory) -> Result<Box<dyn PendingHandshake + '_>, HandshakeError> {
        // The `ClientHello` is made and waits in the connection.
        let handshake = self.new_connection(transport);
        Ok(Box::new(handshake.map_err(HandshakeError::client)?))
    }
}

struct Handshake {
    timer: Timer,
    // Dropped before the handle, which is reused only if no connection holds it.
    tls: ClientConnection,
    resumption: Option<PooledConnection>,
    transport: InMemory,
    end: End,
}

impl Handshake {
    fn run(mut self) -> Result<Completed, Box<dyn Error>> {
        self.drive()?;
        let kind = self
            .tls
            .handshake_kind()
            .filter(|_| !self.tls.is_handshaking())
            .ok_or("the handshake did not finish")?;
        if let Some(handle) = &self.resumption {
            handle.settle(kind);
        }
        let reading = self.timer.stop(&self.transport);

        let Self {
            resumption,
            mut tls,
            mut transport,
            end,
            ..
        } = self;
        let cipher = tls
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default()
            .replacen("TLS13_", "TLS_", 1); // rustls's own spelling
        let group = tls
            .negotiated_key_exchange_group()
            .map(|group| group.name().into());
        let timer = Timer::start(&transport);
        if end == End::CloseNotify {
            tls.send_close_notify();
            tls.write_tls(&mut transport)?;
        }
        drop(tls);
        // After the connection, which holds the configuration.
        drop(resumption);
        let rest = timer.stop(&transport);
        Ok(Completed {
            whole: reading.client + rest.client,
            reading,
            resumed: kind == HandshakeKind::Resumed,
            cipher,
            group,
            server: transport.server().facts(),
        })
    }

    /// Reads and writes until the server has sent everything.
    fn drive(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.transport)?;
            }
            match self.tls.read_tls(&mut self.transport) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    self.tls.process_new_packets()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl PendingHandshake for Handshake {
    fn transport(&mut self) -> &mut InMemory {
        &mut self.transport
    }

    fn finish(self: Box<Self>) -> Result<Completed, HandshakeError> {
        self.run().map_err(HandshakeError::client)
    }
}

fn domain() -> SecurityDomain {
    SecurityDomain::builder("compare harness, rustls").finish()
}

fn config(
    scenario: Scenario,
    root: &CertificateDer<'static>,
) -> Result<ClientConfig, Box<dyn Error>> {
    let provider = Arc::new(provider(scenario)?);
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let version = match scenario.protocol {
        Protocol::Tls12 => &version::TLS12,
        Protocol::Tls13 => &version::TLS13,
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_webpki_verifier(verifier)
        .with_no_client_auth())
}

fn provider(scenario: Scenario) -> Result<CryptoProvider, String> {
    let mut provider = match scenario.client {
        Stack::AwsLcRs => aws_lc_rs::default_provider(),
        Stack::Ring => ring::default_provider(),
        Stack::Graviola => rustls_graviola::default_provider(),
        Stack::OpenSsl => return Err("OpenSSL is not a provider of rustls".to_owned()),
    };
    if let Groups::First(group) = scenario.groups {
        let wanted = [group, Group::P256].map(group_id);
        let all = std::mem::take(&mut provider.kx_groups);
        let with_id = |id| all.iter().find(|group| u16::from(group.name()) == id);
        provider.kx_groups = wanted.into_iter().filter_map(with_id).copied().collect();
    }
    Ok(provider)
}
