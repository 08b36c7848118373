//! Clients on rustls: with rustls's own cache, and the connector of tls-resume, which is also the
//! client of the preview.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use lab::server::Protocol;
use pki_types::{CertificateDer, ServerName};
use rustls::client::{ClientSessionStore, Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use store_core::{Limits, Stats};
use tls_resume::{Backend, generic};

use super::client::{Client, PORT, read_tickets};
use super::transport::Transport;

/// A client on rustls with a store of rustls's own.
pub(super) struct RustlsClient(Arc<ClientConfig>);

impl RustlsClient {
    pub(super) fn new(
        store: Arc<dyn ClientSessionStore>,
        protocol: Protocol,
        root: &CertificateDer<'static>,
    ) -> Result<Self, Box<dyn Error>> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.clone())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
        let version = match protocol {
            Protocol::Tls12 => &version::TLS12,
            Protocol::Tls13 => &version::TLS13,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::store(store);
        Ok(Self(config.into()))
    }
}

impl Client for RustlsClient {
    fn connect(&self, host: &str, io: &mut Transport<'_>) -> Result<bool, Box<dyn Error>> {
        let name = ServerName::try_from(host)?.to_owned();
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name)?;
        read_tickets(&mut rustls::Stream::new(&mut tls, io))?;
        tls.send_close_notify();
        tls.write_tls(io)?;
        io.flush()?;
        Ok(tls.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    fn stats(&self) -> Option<Stats> {
        None
    }
}

/// A connector of tls-resume.
pub(super) fn connector<B: Backend>(
    limits: Limits,
    protocol: Protocol,
    root: &CertificateDer<'static>,
) -> Result<generic::Connector<B>, tls_resume::Error> {
    generic::Connector::builder()
        .roots([root.clone()])
        .protocols([protocol])
        .limits(limits)
        .build()
}

impl<B: Backend> Client for generic::Connector<B> {
    fn connect(&self, host: &str, io: &mut Transport<'_>) -> Result<bool, Box<dyn Error>> {
        let mut stream = self.connect_stream(host, PORT, io)?;
        read_tickets(&mut stream)?;
        stream.close()?;
        Ok(stream.resumption() == tls_resume::Resumption::Resumed)
    }

    fn stats(&self) -> Option<Stats> {
        Some(Self::stats(self))
    }
}
