//! Connectors with other credentials or roots onto the same store.

use std::sync::Arc;

use pki_types::{CertificateDer, PrivateKeyDer};

use super::Connector;
use crate::settings::Settings;
use crate::{Backend, ClientCredential, Error};

impl<B: Backend> Connector<B> {
    /// A connector with another client certificate onto the same store, with all other settings of
    /// this one: for a certificate that is rotated by making a new connector.
    ///
    /// It has a security domain of its own, so it resumes no session of this one, and the other way
    /// round. Both are within the same limits, have the same statistics, and are one in
    /// `record_metrics`; `clear` of one clears both. Connections of this one end as they began. Its
    /// sessions are evicted when space is short, since nothing looks them up any more. Replaces a
    /// [source](crate::generic::ConnectorBuilder::client_credentials) of credentials. Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    ///
    /// ```
    /// # #[cfg(feature = "rustls")]
    /// # fn rotate(
    /// #     connector: tls_resume::rustls::Connector,
    /// #     chain: Vec<tls_resume::pki_types::CertificateDer<'static>>,
    /// #     key: tls_resume::pki_types::PrivateKeyDer<'static>,
    /// # ) -> Result<(), tls_resume::Error> {
    /// let renewed = connector.with_client_certificate(chain, key)?;
    /// assert_ne!(renewed.security_domain(), connector.security_domain());
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn with_client_certificate(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        self.reconfigured(|settings| {
            settings.client = Some(Arc::new(ClientCredential::new(chain, key)));
            settings.client_source = None;
        })
    }

    /// A connector that trusts these root certificates instead, onto the same store: as
    /// [`with_client_certificate`](Self::with_client_certificate). An empty list is an error.
    pub fn with_roots(
        &self,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        self.reconfigured(|settings| {
            settings.own_roots = true;
            settings.roots = roots.into_iter().collect();
        })
    }

    fn reconfigured(&self, change: impl FnOnce(&mut Settings)) -> Result<Self, Error> {
        let mut settings = self.inner.settings.clone();
        change(&mut settings);
        let options = self.inner.options.clone();
        let opened = Arc::clone(&self.inner.opened);
        let reconfigured = Self::new(settings.load()?, options, opened)?;
        Ok(reconfigured.in_scope(self.scope.clone()))
    }

    /// Why the newest credential of the connector's
    /// [source](crate::generic::ConnectorBuilder::client_credentials) is not used, and the one before
    /// still is: it cannot be read, or the TLS library rejects it. `None` without a source, and if the
    /// newest one is in use. For a check of the application's health.
    pub fn client_certificate_error(&self) -> Option<String> {
        let source = self.inner.settings.client_source.as_ref()?;
        self.configured(); // which may find a new credential
        source.error().or_else(|| self.inner.current.error())
    }
}
