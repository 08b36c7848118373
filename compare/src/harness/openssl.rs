//! The client on OpenSSL.

mod in_hand;

use std::error::Error;

use backend_openssl::{Connector, Sessions};
use lab::server::Protocol;
use lab::transport::InMemory;
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, SslCipherRef, SslConnector, SslConnectorBuilder, SslMethod, SslSessionCacheMode,
    SslStream, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use pki_types::CertificateDer;
use store_core::{Limits, SecurityDomain};

use self::in_hand::InHand;
use super::clock::Clock;
use super::{Client, HandshakeError, NAME, PORT, Seen, Store};

/// A client.
pub(super) struct OpenSslClient(Context);

/// A client's context, built once.
enum Context {
    None(SslConnector),
    InHand(InHand),
    TlsResume(Connector),
}

impl OpenSslClient {
    pub(super) fn new(
        protocol: Protocol,
        root: &CertificateDer<'static>,
        store: Store,
    ) -> Result<Self, HandshakeError> {
        let context = Context::build(protocol, root, store);
        context.map(Self).map_err(HandshakeError::client)
    }
}

impl Context {
    fn build(
        protocol: Protocol,
        root: &CertificateDer<'static>,
        store: Store,
    ) -> Result<Self, Box<dyn Error>> {
        let mut builder = builder(protocol, root)?;
        Ok(match store {
            Store::None => {
                builder.set_session_cache_mode(SslSessionCacheMode::OFF);
                Self::None(builder.build())
            }
            Store::InHand => Self::InHand(InHand::attach(builder)),
            Store::TlsResume => {
                let domain = SecurityDomain::builder("compare harness, openssl").finish();
                let sessions = Sessions::new(Limits::default())?;
                Self::TlsResume(sessions.attach(builder, domain)?)
            }
        })
    }

    fn handshake(&self, transport: &mut InMemory) -> Result<Seen, Box<dyn Error>> {
        let clock = Clock::start(transport);
        let ssl = match self {
            Self::None(connector) => connector.configure()?.into_ssl(NAME)?,
            Self::InHand(in_hand) => in_hand.offer(in_hand.configure()?.into_ssl(NAME)?)?,
            Self::TlsResume(connector) => {
                let mut ssl = connector.configure()?.into_ssl(NAME)?;
                connector.prepare(&mut ssl, connector.key(NAME, PORT));
                ssl
            }
        };
        let mut stream = SslStream::new(ssl, transport)?;
        stream.connect()?;
        // Takes in what follows the handshake, the tickets; there is no data.
        match stream.ssl_read(&mut [0]) {
            Err(error) if error.code() == ErrorCode::WANT_READ => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the server sent data that nobody asked for".into()),
        }
        if let Self::InHand(in_hand) = self {
            in_hand.keep(stream.ssl());
        }
        let reading = clock.stop(stream.get_ref());

        let resumed = stream.ssl().session_reused();
        let cipher = stream
            .ssl()
            .current_cipher()
            .and_then(SslCipherRef::standard_name)
            .unwrap_or_default()
            .to_owned();
        // A connection that is dropped without it spoils its session.
        stream.shutdown()?;
        Ok(Seen {
            reading,
            resumed,
            cipher,
        })
    }
}

impl Client for OpenSslClient {
    fn connect(&self, transport: &mut InMemory) -> Result<Seen, HandshakeError> {
        self.0.handshake(transport).map_err(HandshakeError::client)
    }
}

fn builder(
    protocol: Protocol,
    root: &CertificateDer<'static>,
) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    roots.add_cert(X509::from_der(root)?)?;
    builder.set_cert_store(roots.build());
    let version = match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    };
    builder.set_min_proto_version(Some(version))?;
    builder.set_max_proto_version(Some(version))?;
    builder.set_groups_list("X25519:P-256")?;
    Ok(builder)
}
