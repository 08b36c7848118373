//! The client on rustls.

mod in_hand;

use std::error::Error;
use std::io;
use std::sync::Arc;

use backend_rustls::{ConfigPool, Connection, PooledConfig, Sessions};
use lab::server::{Group, Protocol};
use lab::transport::InMemory;
use pki_types::{CertificateDer, ServerName};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use store_core::{KeyRef, Limits, SecurityDomain};

use self::in_hand::InHand;
use super::clock::Clock;
use super::{
    Begun, Client, Corner, Groups, HandshakeError, NAME, PORT, Seen, Stack, Store, number,
};

/// Sessions that rustls's own cache may hold: as many servers as ours, with its 8 sessions each.
const SESSIONS_OF_RUSTLS: usize = 4_096 * 8;

/// A client with its configuration, built once.
pub(super) struct RustlsClient {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    ours: Option<Ours>,
}

/// The store of tls-resume, whose handle is another one for each connection.
struct Ours {
    sessions: Sessions,
    domain: SecurityDomain,
    configs: ConfigPool,
}

impl RustlsClient {
    pub(super) fn new(
        corner: Corner,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, HandshakeError> {
        Self::build(corner, root, store).map_err(HandshakeError::client)
    }

    fn build(
        corner: Corner,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, Box<dyn Error>> {
        let mut ours = None;
        let mut config = config(corner, root)?;
        config.resumption = Resumption::disabled();
        match store {
            Store::None => {}
            Store::InHand => config.resumption = Resumption::store(Arc::new(InHand::default())),
            Store::RustlsMemory => {
                config.resumption = Resumption::in_memory_sessions(SESSIONS_OF_RUSTLS);
            }
            Store::TlsResume => {
                ours = Some(Ours {
                    sessions: Sessions::new(Limits::default())?,
                    domain: SecurityDomain::builder("compare harness, rustls").finish(),
                    configs: ConfigPool::new(config.clone()),
                });
            }
            Store::Own(own) => {
                let store = own.make_rustls();
                let store = store.ok_or("it is no store for rustls")?;
                config.resumption = Resumption::store(store);
            }
            Store::TlsResumeStrip | Store::TlsResumeHint | Store::HyperOpenssl | Store::Der => {
                return Err(format!("rustls has no store {store}").into());
            }
        }
        Ok(Self {
            name: ServerName::try_from(NAME)?,
            config: Arc::new(config),
            ours,
        })
    }

    fn start(&self, transport: InMemory) -> Result<Handshake, rustls::Error> {
        let name = self.name.clone();
        let clock = Clock::start(&transport);
        let (tls, resuming) = match &self.ours {
            None => (ClientConnection::new(self.config.clone(), name)?, None),
            Some(ours) => {
                let key = KeyRef::new(&ours.domain, NAME).with_port(PORT).to_key();
                let handle = ours.sessions.connection(key);
                let lent = ours.configs.get(Some(&handle));
                let tls = ClientConnection::new(lent.config(), name)?;
                (tls, Some((handle, lent)))
            }
        };
        Ok(Handshake {
            clock,
            tls,
            resuming,
            transport,
        })
    }
}

impl Client for RustlsClient {
    fn begin(&self, transport: InMemory) -> Result<Box<dyn Begun + '_>, HandshakeError> {
        // The hello is made: it waits in the connection.
        let begun = self.start(transport).map_err(HandshakeError::client)?;
        Ok(Box::new(begun))
    }
}

struct Handshake {
    clock: Clock,
    // Before the configuration: it is lent again if the connection no longer has it.
    tls: ClientConnection,
    resuming: Option<(Arc<Connection>, PooledConfig)>,
    transport: InMemory,
}

impl Handshake {
    fn run(mut self) -> Result<Seen, Box<dyn Error>> {
        self.drive()?;
        let kind = self
            .tls
            .handshake_kind()
            .filter(|_| !self.tls.is_handshaking())
            .ok_or("the handshake did not come to its end")?;
        if let Some((handle, _)) = &self.resuming {
            handle.settle(kind);
        }
        let reading = self.clock.stop(&self.transport);

        let Self {
            // Dropped in the opposite order.
            resuming: _resuming,
            mut tls,
            mut transport,
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
        tls.send_close_notify();
        tls.write_tls(&mut transport)?;
        Ok(Seen {
            reading,
            resumed: kind == HandshakeKind::Resumed,
            cipher,
            group,
            by_server: transport.server().facts(),
        })
    }

    /// Lets the connection read and write until the server has nothing more to say.
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

impl Begun for Handshake {
    fn transport(&mut self) -> &mut InMemory {
        &mut self.transport
    }

    fn finish(self: Box<Self>) -> Result<Seen, HandshakeError> {
        self.run().map_err(HandshakeError::client)
    }
}

fn config(corner: Corner, root: &CertificateDer<'static>) -> Result<ClientConfig, Box<dyn Error>> {
    let provider = Arc::new(provider(corner)?);
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let version = match corner.protocol {
        Protocol::Tls12 => &version::TLS12,
        Protocol::Tls13 => &version::TLS13,
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_webpki_verifier(verifier)
        .with_no_client_auth())
}

fn provider(corner: Corner) -> Result<CryptoProvider, String> {
    let mut provider = match corner.client {
        Stack::AwsLcRs => aws_lc_rs::default_provider(),
        Stack::Ring => ring::default_provider(),
        Stack::Graviola => rustls_graviola::default_provider(),
        Stack::OpenSsl => return Err("OpenSSL is no provider of rustls".to_owned()),
    };
    if let Groups::First(group) = corner.groups {
        let wanted = [group, Group::P256].map(number);
        let all = std::mem::take(&mut provider.kx_groups);
        let of_number = |number| all.iter().find(|group| u16::from(group.name()) == number);
        provider.kx_groups = wanted.into_iter().filter_map(of_number).copied().collect();
    }
    Ok(provider)
}
