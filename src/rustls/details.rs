//! The properties of a connection, from rustls and from its handle in the store.

use std::error::Error;
use std::time::Duration;

use ::rustls::{ClientConnection, HandshakeKind, ProtocolVersion};
use backend_rustls::Connection;
use pki_types::CertificateDer;

use crate::connection_info::Details;
use crate::{ApplicationData, Protocol};

/// A connection whose handshake is done, with its handle if it stores sessions.
pub(super) struct RustlsDetails<'c> {
    pub(super) connection: &'c ClientConnection,
    pub(super) handle: Option<&'c Connection>,
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
        self.handle.is_some_and(Connection::offered)
    }

    fn resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    fn tickets(&self) -> usize {
        self.handle.map_or(0, Connection::tickets)
    }

    fn lifetime(&self) -> Option<Duration> {
        None
    }

    fn max_early_data(&self) -> Option<u32> {
        self.handle?.max_early_data()
    }

    fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let chain = self.connection.peer_certificates().unwrap_or_default();
        chain
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect()
    }

    fn alpn(&self) -> Option<Vec<u8>> {
        self.connection.alpn_protocol().map(<[u8]>::to_vec)
    }

    fn cipher(&self) -> Option<String> {
        let suite = self.connection.negotiated_cipher_suite()?.suite();
        // rustls names TLS 1.3 suites with a prefix that the registry does not have.
        Some(format!("{suite:?}").replace("TLS13_", "TLS_"))
    }

    fn group(&self) -> Option<u16> {
        Some(
            self.connection
                .negotiated_key_exchange_group()?
                .name()
                .into(),
        )
    }

    fn export(
        &self,
        output: &mut [u8],
        label: &str,
        context: Option<&[u8]>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let connection = self.connection;
        connection.export_keying_material(output, label.as_bytes(), context)?;
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
