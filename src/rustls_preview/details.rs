//! The properties of a connection, from rustls and from its handle in the store.

use std::error::Error;
use std::time::Duration;

use backend_rustls::preview::Connection as Handle;
use pki_types::CertificateDer;
use rustls_next::crypto::Identity;
use rustls_next::enums::ProtocolVersion;
use rustls_next::{ClientConnection, HandshakeKind, KeyingMaterialExporter};

use crate::connection_info::Details;
use crate::{ApplicationData, Protocol};

/// A connection whose handshake is done, with its handle if it stores sessions.
pub(super) struct RustlsDetails<'c> {
    pub(super) connection: &'c ClientConnection,
    pub(super) handle: Option<&'c Handle>,
    pub(super) exporter: Option<&'c KeyingMaterialExporter>,
}

impl Details for RustlsDetails<'_> {
    fn protocol(&self) -> Protocol {
        match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Protocol::Tls12,
            _ => Protocol::Tls13,
        }
    }

    fn keeps_sessions(&self) -> bool {
        self.handle.is_some()
    }

    fn offered(&self) -> bool {
        self.handle.is_some_and(Handle::offered)
    }

    fn resumed(&self) -> bool {
        matches!(
            self.connection.handshake_kind(),
            Some(HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest)
        )
    }

    fn tickets(&self) -> usize {
        self.handle.map_or(0, Handle::tickets)
    }

    fn lifetime(&self) -> Option<Duration> {
        self.handle?.lifetime()
    }

    fn max_early_data(&self) -> Option<u32> {
        self.handle?.max_early_data()
    }

    fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        match self.connection.peer_identity() {
            Some(Identity::X509(chain)) => std::iter::once(&chain.end_entity)
                .chain(&chain.intermediates)
                .cloned()
                .collect(),
            _ => Vec::new(),
        }
    }

    fn alpn(&self) -> Option<Vec<u8>> {
        let name = self.connection.alpn_protocol()?;
        Some(name.as_ref().to_vec())
    }

    fn cipher(&self) -> Option<String> {
        let suite = self.connection.negotiated_cipher_suite()?.suite();
        // rustls names TLS 1.3 suites with a prefix that the registry does not have.
        Some(format!("{suite:?}").replace("TLS13_", "TLS_"))
    }

    fn group(&self) -> Option<u16> {
        let group = self.connection.negotiated_key_exchange_group()?;
        Some(group.name().0)
    }

    fn export(
        &self,
        output: &mut [u8],
        label: &str,
        context: Option<&[u8]>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let exporter = self.exporter.ok_or("rustls has no keying material")?;
        exporter.derive(label.as_bytes(), context, output)?;
        Ok(())
    }

    fn application_data(&self) -> Option<ApplicationData> {
        self.handle?.application_data()
    }

    fn set_application_data(&self, data: Option<ApplicationData>) {
        if let Some(handle) = self.handle {
            handle.set_application_data(data);
        }
    }

    fn forget(&self) {
        if let Some(handle) = self.handle {
            handle.forget();
        }
    }
}
