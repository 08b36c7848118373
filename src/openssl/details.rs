//! The properties of a connection, from OpenSSL and from its handle in the store.

use std::error::Error;
use std::time::Duration;

use ::openssl::ssl::{SslRef, SslVersion};
use backend_openssl::Connection;
use pki_types::CertificateDer;

use crate::connection_info::Details;
use crate::{ApplicationData, Protocol};

/// A connection whose handshake is done. Its handle is in its `ex_data`.
pub(super) struct OpenSslDetails<'c>(pub(super) &'c SslRef);

impl OpenSslDetails<'_> {
    fn handle(&self) -> Option<&Connection> {
        backend_openssl::connection(self.0)
    }
}

impl Details for OpenSslDetails<'_> {
    fn protocol(&self) -> Protocol {
        match self.0.version2() {
            Some(SslVersion::TLS1_2) => Protocol::Tls12,
            _ => Protocol::Tls13,
        }
    }

    fn keeps_sessions(&self) -> bool {
        self.handle().is_some()
    }

    fn offered(&self) -> bool {
        self.handle().is_some_and(Connection::offered)
    }

    fn resumed(&self) -> bool {
        self.0.session_reused()
    }

    fn tickets(&self) -> usize {
        self.handle().map_or(0, Connection::tickets)
    }

    fn lifetime(&self) -> Option<Duration> {
        self.handle()?.lifetime()
    }

    fn max_early_data(&self) -> Option<u32> {
        self.handle()?.max_early_data()
    }

    fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let ssl = self.0;
        let of_session = self.handle().and_then(Connection::offered_chain);
        if let Some(chain) = of_session.filter(|_| ssl.session_reused()) {
            let owned = |certificate: &[u8]| CertificateDer::from(certificate.to_vec());
            return chain.iter().map(owned).collect();
        }
        let sent = ssl.peer_cert_chain().into_iter().flatten();
        sent.filter_map(|certificate| certificate.to_der().ok())
            .map(CertificateDer::from)
            .collect()
    }

    fn alpn(&self) -> Option<Vec<u8>> {
        self.0.selected_alpn_protocol().map(<[u8]>::to_vec)
    }

    fn cipher(&self) -> Option<String> {
        let cipher = self.0.current_cipher()?;
        Some(
            cipher
                .standard_name()
                .unwrap_or_else(|| cipher.name())
                .to_owned(),
        )
    }

    fn group(&self) -> Option<u16> {
        let ssl = self.0;
        if self.protocol() == Protocol::Tls12 && ssl.session_reused() {
            return None; // OpenSSL returns the group of the full handshake
        }
        backend_openssl::negotiated_group(ssl)
    }

    fn export(
        &self,
        output: &mut [u8],
        label: &str,
        context: Option<&[u8]>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.export_keying_material(output, label, context)?)
    }

    fn has_extended_master_secret(&self) -> bool {
        backend_openssl::has_extended_master_secret(self.0)
    }

    fn application_data(&self) -> Option<ApplicationData> {
        self.handle()?.application_data()
    }

    fn set_application_data(&self, data: Option<ApplicationData>) {
        if let Some(handle) = self.handle() {
            handle.set_application_data(data);
        }
    }

    fn forget(&self) {
        if let Some(handle) = self.handle() {
            handle.forget();
        }
    }
}
