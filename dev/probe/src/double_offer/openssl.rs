//! Double offers on OpenSSL.

use std::fs;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use backend_openssl::{Connector, Sessions};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use store_core::{Encoded, Limits, SecurityDomain, SessionKey};

use super::{DoubleOffer, put, take};
use crate::Options;
use crate::client::tickets_timeout;
use crate::transport::Transport;

pub(super) struct Client {
    connector: Connector,
    name: String,
    key: SessionKey,
    timeout: Duration,
}

impl Client {
    /// `None` if OpenSSL rejects the settings, which it accepted for the probe's own connector.
    pub(super) fn new(options: &Options) -> Option<Self> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).ok()?;
        let mut roots = X509StoreBuilder::new().ok()?;
        if let Some(file) = &options.ca {
            for root in X509::stack_from_pem(&fs::read(file).ok()?).ok()? {
                roots.add_cert(root).ok()?;
            }
        } else {
            for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
                roots.add_cert(X509::from_der(root).ok()?).ok()?;
            }
        }
        builder.set_cert_store(roots.build());
        if let (Some(cert), Some(key)) = (&options.cert, &options.key) {
            builder.set_certificate_chain_file(cert).ok()?;
            builder.set_private_key_file(key, SslFiletype::PEM).ok()?;
        }
        builder
            .set_min_proto_version(Some(SslVersion::TLS1_3))
            .ok()?;
        let domain = SecurityDomain::builder("probe, twice").finish();
        let sessions = Sessions::new(Limits::default()).ok()?;
        let connector = sessions.attach(builder, domain).ok()?;
        let key = connector.key(options.server_name(), options.port());
        Some(Self {
            connector,
            name: options.server_name().to_owned(),
            key,
            timeout: options.timeout,
        })
    }

    fn connect<'a>(&self, io: &'a mut Transport) -> Result<SslStream<&'a mut Transport>, String> {
        let ssl = self.connector.ssl(&self.name, self.key.clone());
        let ssl = ssl.map_err(|error| error.to_string())?;
        ssl.connect(io).map_err(|error| error.to_string())
    }
}

impl DoubleOffer for Client {
    fn full_handshake(&self, io: &mut Transport) -> Result<(), String> {
        let mut stream = self.connect(io)?;
        let timeout = tickets_timeout(stream.get_ref().elapsed(), self.timeout);
        stream.get_ref().set_deadline(timeout);
        let read = stream.read(&mut [0]);
        stream.get_ref().set_deadline(self.timeout);
        let _ = stream.shutdown(); // fails if the server has already closed
        match read {
            Err(error) if error.kind() != ErrorKind::TimedOut => Err(error.to_string()),
            _ => Ok(()), // data, the end of the connection, or the timeout: tickets come before
        }
    }

    fn ticket(&self) -> Option<Encoded> {
        take(self.connector.sessions().store(), &self.key)
    }

    fn offer(&self, ticket: &Encoded, io: &mut Transport) -> Result<bool, String> {
        put(self.connector.sessions().store(), &self.key, ticket);
        let mut stream = self.connect(io)?;
        let _ = stream.shutdown(); // fails if the server has already closed
        Ok(stream.ssl().session_reused())
    }
}
