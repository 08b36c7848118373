//! The settings of a connector: plain data, the same for every backend.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, PrivateKeyDer};
use store_core::{Clock, Limits, ReuseTickets, SystemClock};
#[cfg(feature = "shared")]
use zeroize::Zeroizing;

use crate::never_resume::Servers;
use crate::{ClientCredential, CredentialSource, Error, NamedGroup, Protocol};

/// The default timeout of a connection, handshake included.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// The default of how long a connection waits for a session from the tier.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_millis(5);
/// The most bytes read of a PEM file: fifty times the size of all public roots.
const MAX_PEM_BYTES: u64 = 16 * 1024 * 1024;

/// The settings of a builder. A field that decides over trust, or over what is offered to a server,
/// must be in [`crate::domain`], too.
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
#[derive(Clone)]
pub struct Settings {
    pub(crate) root_files: Vec<PathBuf>,
    /// Empty: Mozilla's roots. Not empty after `load` if `own_roots` is set.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// Whether the caller gave roots, even an empty list of them.
    pub(crate) own_roots: bool,
    pub(crate) client: Option<Arc<ClientCredential>>,
    /// Where `client` comes from, if it may change.
    pub(crate) client_source: Option<Arc<dyn CredentialSource>>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) protocols: Vec<Protocol>,
    /// Empty: those of the TLS library.
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) limits: Limits,
    pub(crate) domain: String,
    /// As the caller gave them.
    pub(crate) never_resume: Vec<String>,
    /// `never_resume` as parsed by `load`.
    never_resume_servers: Servers,
    pub(crate) resume_with_client_certificate: bool,
    pub(crate) timeout: Duration,
    pub(crate) early_data: bool,
    pub(crate) retry_failed_resumption: bool,
    pub(crate) reuse_tickets: ReuseTickets,
    #[cfg(feature = "tracing")]
    pub(crate) log_server_names: bool,
    /// Labels of the metrics. None: the domain's name.
    #[cfg(feature = "metrics")]
    pub(crate) metric_labels: Option<Vec<metrics::Label>>,
    #[cfg(feature = "shared")]
    pub(crate) store: StoreSettings,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Where sessions are stored.
#[cfg(feature = "shared")]
#[derive(Clone)]
pub(crate) struct StoreSettings {
    /// May contain a password.
    pub(crate) url: Zeroizing<String>,
    /// The key file. None: a default that depends on the tier.
    pub(crate) keys: Option<PathBuf>,
    /// Roots to trust for the TLS connection to the tier. Empty: Mozilla's.
    #[cfg(feature = "redis-tls")]
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// How long a connection waits for a session from the tier.
    pub(crate) timeout: Duration,
}

#[cfg(feature = "shared")]
impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: Zeroizing::default(),
            keys: None,
            #[cfg(feature = "redis-tls")]
            roots: Vec::new(),
            timeout: STORE_TIMEOUT,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root_files: Vec::new(),
            roots: Vec::new(),
            own_roots: false,
            client: None,
            client_source: None,
            alpn: Vec::new(),
            protocols: vec![Protocol::Tls12, Protocol::Tls13],
            groups: Vec::new(),
            limits: Limits::default(),
            domain: String::new(),
            never_resume: Vec::new(),
            never_resume_servers: Servers::default(),
            resume_with_client_certificate: true,
            timeout: TIMEOUT,
            early_data: false,
            retry_failed_resumption: true,
            reuse_tickets: ReuseTickets::default(),
            #[cfg(feature = "tracing")]
            log_server_names: false,
            #[cfg(feature = "metrics")]
            metric_labels: None,
            #[cfg(feature = "shared")]
            store: StoreSettings::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Settings {
    /// Reads the files of roots, checks all settings, and sorts and deduplicates roots and
    /// versions.
    pub(crate) fn load(mut self) -> Result<Self, Error> {
        for path in std::mem::take(&mut self.root_files) {
            self.roots.append(&mut read_certificates(&path)?);
        }
        self.roots
            .sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        self.roots.dedup();
        if self.own_roots && self.roots.is_empty() {
            return Err(Error::config(
                "the list of roots is empty, so no server is trusted: give at least one root, or \
                 leave roots out for Mozilla's",
            ));
        }
        if self.early_data && self.reuse_tickets != ReuseTickets::Never {
            return Err(Error::config(
                "early_data needs tickets that are used once: set reuse_tickets to never, or \
                 early_data to false",
            ));
        }
        self.never_resume_servers = Servers::parse(&self.never_resume)?;
        let mut seen = Vec::new();
        self.groups.retain(|group| {
            let is_new = !seen.contains(group);
            seen.push(*group);
            is_new
        });
        self.protocols.sort();
        self.protocols.dedup();
        if self.protocols.is_empty() {
            return Err(Error::config(
                "no protocol version: allow at least one in protocols",
            ));
        }
        let alpn_fits = |name: &Vec<u8>| (1..=255).contains(&name.len());
        if !self.alpn.iter().all(alpn_fits) {
            return Err(Error::config(
                "an ALPN protocol name has 1 to 255 bytes: correct alpn",
            ));
        }
        if self.early_data && self.alpn.len() > 1 {
            // Early data is in the application protocol of the session's first connection.
            return Err(Error::config(
                "early data is for one application protocol: offer at most one by ALPN, or make a \
                 connector for each",
            ));
        }
        Ok(self)
    }

    /// How long a connection waits for a session from the tier: at most half its timeout, so that a
    /// full handshake has time left.
    #[cfg(feature = "shared")]
    pub(crate) fn store_timeout(&self) -> Duration {
        self.store.timeout.min(self.timeout / 2)
    }

    /// Whether any sessions are stored and offered, as far as it depends on the client's credential.
    pub(crate) fn resumes(&self) -> bool {
        self.client.is_none() || self.resume_with_client_certificate
    }

    /// The servers of loaded settings whose sessions are neither stored nor offered.
    pub(crate) fn take_never_resume(&mut self) -> Servers {
        std::mem::take(&mut self.never_resume_servers)
    }
}

pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let shown = path.display();
    let certificates = File::open(path)
        .map_err(pem::Error::Io)
        .and_then(|file| CertificateDer::pem_reader_iter(file.take(MAX_PEM_BYTES)).collect());
    let certificates: Vec<_> = certificates.map_err(|error| {
        let message = format!("{shown}: cannot read certificates ({error}): give a PEM file");
        Error::config(message).caused_by(error)
    })?;
    if certificates.is_empty() {
        return Err(Error::config(format_args!(
            "{shown}: no certificate in it: give a PEM file with at least one"
        )));
    }
    Ok(certificates)
}

pub(crate) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let key = File::open(path)
        .map_err(pem::Error::Io)
        .and_then(|file| PrivateKeyDer::from_pem_reader(file.take(MAX_PEM_BYTES)));
    key.map_err(|error| {
        let shown = path.display();
        let message = format!("{shown}: cannot read a private key ({error}): give a PEM file");
        Error::config(message).caused_by(error)
    })
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("protocols", &self.protocols)
            .field("limits", &self.limits)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}
