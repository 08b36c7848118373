//! The client on rustls.

mod in_hand;

use std::io::{self, Read, Write};
use std::sync::Arc;

use backend_rustls::Sessions;
use lab::server::Protocol;
use lab::transport::InMemory;
use pki_types::{CertificateDer, ServerName};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use store_core::{KeyRef, Limits, SecurityDomain};

use self::in_hand::InHand;
use super::clock::Clock;
use super::{Client, HandshakeError, NAME, PORT, Seen, Store};

/// A client with its configuration, built once.
pub(super) struct RustlsClient {
    config: Arc<ClientConfig>,
    /// The store of tls-resume, whose handle is another one for each connection.
    sessions: Option<(Sessions, SecurityDomain)>,
}

impl RustlsClient {
    pub(super) fn new(
        protocol: Protocol,
        root: &CertificateDer<'static>,
        store: Store,
    ) -> Result<Self, HandshakeError> {
        let mut config = config(protocol, root).map_err(HandshakeError::client)?;
        config.resumption = match store {
            Store::InHand => Resumption::store(Arc::new(InHand::default())),
            Store::None | Store::TlsResume => Resumption::disabled(),
        };
        let sessions = if store == Store::TlsResume {
            let sessions = Sessions::new(Limits::default()).map_err(HandshakeError::client)?;
            Some((
                sessions,
                SecurityDomain::builder("compare harness, rustls").finish(),
            ))
        } else {
            None
        };
        Ok(Self {
            config: Arc::new(config),
            sessions,
        })
    }

    fn handshake(&self, transport: &mut InMemory) -> Result<Seen, Box<dyn std::error::Error>> {
        let name = ServerName::try_from(NAME)?;
        let clock = Clock::start(transport);
        let (mut tls, handle) = match &self.sessions {
            None => (ClientConnection::new(self.config.clone(), name)?, None),
            Some((sessions, domain)) => {
                let key = KeyRef::new(domain, NAME).with_port(PORT).to_key();
                let handle = sessions.connection(key);
                let mut config = ClientConfig::clone(&self.config);
                config.resumption = handle.resumption();
                (ClientConnection::new(config.into(), name)?, Some(handle))
            }
        };
        drive(&mut tls, transport)?;
        let kind = tls
            .handshake_kind()
            .filter(|_| !tls.is_handshaking())
            .ok_or("the handshake did not come to its end")?;
        if let Some(handle) = handle {
            handle.settle(kind);
        }
        let reading = clock.stop(transport);

        let cipher = tls
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default()
            .replacen("TLS13_", "TLS_", 1); // rustls's own spelling
        tls.send_close_notify();
        tls.write_tls(transport)?;
        Ok(Seen {
            reading,
            resumed: kind == HandshakeKind::Resumed,
            cipher,
        })
    }
}

impl Client for RustlsClient {
    fn connect(&self, transport: &mut InMemory) -> Result<Seen, HandshakeError> {
        self.handshake(transport).map_err(HandshakeError::client)
    }
}

fn config(
    protocol: Protocol,
    root: &CertificateDer<'static>,
) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let provider = Arc::new(CryptoProvider {
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
        ..default_provider()
    });
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let version = match protocol {
        Protocol::Tls12 => &version::TLS12,
        Protocol::Tls13 => &version::TLS13,
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_webpki_verifier(verifier)
        .with_no_client_auth())
}

/// Lets the connection read and write until the server has nothing more to say.
fn drive(
    tls: &mut ClientConnection,
    transport: &mut (impl Read + Write),
) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        while tls.wants_write() {
            tls.write_tls(transport)?;
        }
        match tls.read_tls(transport) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                tls.process_new_packets()?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
