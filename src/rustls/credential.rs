//! The client credential of a rustls configuration.

use std::sync::Arc;

use ::rustls::SignatureScheme;
use ::rustls::client::ResolvesClientCert;
use ::rustls::crypto::CryptoProvider;
use ::rustls::sign::{CertifiedKey, SingleCertAndKey};
use backend_rustls::earliest_not_after;
use store_core::Timestamp;

use crate::Error;
use crate::settings::Settings;

/// A client credential as rustls uses it, or none.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    certified: Option<Arc<CertifiedKey>>,
    /// The earliest `notAfter` of its certificates.
    not_after: Timestamp,
}

impl Credential {
    /// The credential in `settings`. Fails if the key is not that of the certificate.
    pub(super) fn new(settings: &Settings, provider: &CryptoProvider) -> Result<Self, Error> {
        let Some(client) = &settings.client else {
            return Ok(Self {
                certified: None,
                not_after: Timestamp::NEVER,
            });
        };
        let (chain, key) = (client.chain(), client.key());
        let certified = CertifiedKey::from_der(chain.to_vec(), key.clone_key(), provider);
        let certified = certified.map_err(|error| {
            let message = format!("the client certificate cannot be used: {error}");
            Error::config(message).caused_by(error)
        })?;
        Ok(Self {
            certified: Some(Arc::new(certified)),
            not_after: earliest_not_after(chain, settings.clock.now()),
        })
    }

    /// When its certificates expire: also with servers that did not ask for them, which rustls does
    /// not show.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(super) fn certified(&self) -> Option<Arc<CertifiedKey>> {
        self.certified.clone()
    }

    /// The resolver of a configuration with this credential.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        match self.certified() {
            Some(certified) => Arc::new(SingleCertAndKey::from(certified)),
            None => Arc::new(NoCredential),
        }
    }
}

/// Answers a server's request with no certificate.
#[derive(Debug)]
struct NoCredential;

impl ResolvesClientCert for NoCredential {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
