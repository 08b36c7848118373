//! The client on OpenSSL.

use std::error::Error;

use backend_openssl::{Connector, Sessions};
use lab::server::Protocol;
use openssl::ssl::{ErrorCode, SslConnector, SslMethod, SslStream, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use pki_types::CertificateDer;
use store_core::{SecurityDomain, Stats};

use super::client::{Client, PORT};
use super::transport::Transport;

/// A context with our store.
pub(super) struct OpenSslClient(Connector);

impl OpenSslClient {
    pub(super) fn new(
        sessions: &Sessions,
        protocol: Protocol,
        root: &CertificateDer<'static>,
    ) -> Result<Self, Box<dyn Error>> {
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
        // More groups would cost time only. P-256 is the curve of the certificate.
        builder.set_groups_list("X25519:P-256")?;
        let domain = SecurityDomain::builder("compare memory, openssl").finish();
        Ok(Self(sessions.attach(builder, domain)?))
    }
}

impl Client for OpenSslClient {
    fn connect(&self, host: &str, io: &mut Transport<'_>) -> Result<bool, Box<dyn Error>> {
        let mut ssl = self.0.configure()?.into_ssl(host)?;
        self.0.prepare(&mut ssl, self.0.key(host, PORT));
        let mut stream = SslStream::new(ssl, io)?;
        stream.connect()?;
        // Reads the tickets that follow the handshake; there is no data.
        match stream.ssl_read(&mut [0]) {
            Err(error) if error.code() == ErrorCode::WANT_READ => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the server sent unexpected data".into()),
        }
        let resumed = stream.ssl().session_reused();
        // Dropping a connection without close_notify marks its session as not resumable.
        stream.shutdown()?;
        Ok(resumed)
    }

    fn stats(&self) -> Option<Stats> {
        Some(self.0.sessions().store().stats())
    }
}
