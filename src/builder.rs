//! The connector in the making, the same for either backend.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_types::{CertificateDer, PrivateKeyDer};
#[cfg(not(feature = "shared"))]
use store_core::SessionStore;
use store_core::{Clock, Limits};

use crate::connector::{Connector, bare};
use crate::settings::{ClientCredential, Settings};
use crate::{Backend, Error, Protocol};

/// Settings of a [`Connector`] in the making.
#[must_use = "a connector is made by `build`"]
pub struct ConnectorBuilder<B: Backend> {
    pub(crate) settings: Settings,
    pub(crate) options: B::Options,
    /// Opens the place that the settings name.
    #[cfg(feature = "shared")]
    pub(crate) open: crate::sharing::Open<B::Session>,
}

impl<B: Backend> ConnectorBuilder<B> {
    /// Trusts these root certificates. Mozilla's are trusted only if this and
    /// [`roots_pem_file`](Self::roots_pem_file) are never called; an empty list is an error of
    /// `build`.
    pub fn roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.settings.own_roots = true;
        self.settings.roots.extend(roots);
        self
    }

    /// Trusts the root certificates of a PEM file, which `build` reads.
    pub fn roots_pem_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.own_roots = true;
        self.settings.root_files.push(path.into());
        self
    }

    /// Proves the client's identity to servers that ask: its certificate, then intermediates.
    pub fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.settings.client = Some(ClientCredential { chain, key });
        self
    }

    /// Offers these application protocols (ALPN), the preferred one first: `["h2", "http/1.1"]`.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.settings.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Allows these versions of TLS only.
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = Protocol>) -> Self {
        self.settings.protocols = protocols.into_iter().collect();
        self
    }

    /// Bounds the store. [`Limits::off`] turns resumption off.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Names the security domain, to keep sessions of two purposes apart that are configured the
    /// same.
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.settings.domain = name.into();
        self
    }

    /// Neither keeps nor offers sessions of these hosts: for pinned servers whose certificate has
    /// to be seen in every handshake, and for protocols that cannot bear resumption.
    pub fn never_resume<H: AsRef<str>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        for host in hosts {
            let host = bare(host.as_ref());
            self.settings.never_resume.push(host.to_owned());
        }
        self
    }

    /// Bounds [`Connector::connect`]. Default 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Allows [`Connector::connect_early`] to send data with the first message of a resumed
    /// handshake (0-RTT). Default off: then none is ever announced, and it sends nothing early.
    ///
    /// Read there [when it is safe](Connector::connect_early). At most one
    /// protocol can be offered by [`alpn`](Self::alpn) then: early data is in the protocol that the
    /// session was made with, which is not known before. A server that chose none by ALPN, as one does
    /// that does not know ALPN, takes early data for what it speaks without.
    pub fn early_data(mut self, allowed: bool) -> Self {
        self.settings.early_data = allowed;
        self
    }

    /// Names servers, host and port, in the events for `tracing`, which otherwise know them by a
    /// digest: where logs may say whom this client talks to.
    #[cfg(feature = "tracing")]
    pub fn log_server_names(mut self, named: bool) -> Self {
        self.settings.names_servers = named;
        self
    }

    /// Takes the time from `clock`, for tests of what expires.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Reads files and builds the connector with an empty store.
    pub fn build(self) -> Result<Connector<B>, Error> {
        let settings = self.settings.load()?;
        #[cfg(feature = "shared")]
        let (store, beyond) = (self.open)(&settings)?;
        #[cfg(not(feature = "shared"))]
        let store = Arc::new(SessionStore::new(settings.limits.clone())?);
        #[cfg(feature = "tracing")]
        store.log_server_names(settings.names_servers);
        let backend = B::build(&settings, self.options, Arc::clone(&store))?;
        Ok(Connector::assembled(
            settings,
            backend,
            store,
            #[cfg(feature = "shared")]
            beyond,
        ))
    }
}

impl<B: Backend> fmt::Debug for ConnectorBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
