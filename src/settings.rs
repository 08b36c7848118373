//! The settings of a connector: plain data, the same for every backend.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use store_core::{Clock, Limits, ReuseTickets, SystemClock};
#[cfg(feature = "shared")]
use zeroize::Zeroizing;

use crate::host::Host;
use crate::{ClientCredential, CredentialSource, Error, Protocol};

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
    pub(crate) limits: Limits,
    pub(crate) domain: String,
    /// As the caller gave them.
    pub(crate) never_resume: Vec<String>,
    /// `never_resume` as parsed by `load`.
    never_resume_names: HashSet<ServerName<'static>>,
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
            limits: Limits::default(),
            domain: String::new(),
            never_resume: Vec::new(),
            never_resume_names: HashSet::new(),
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
        for host in &self.never_resume {
            let Ok(parsed) = Host::parse(host) else {
                return Err(Error::config(format_args!(
                    "{host:?} in never_resume is not a host: give the host alone, a DNS name or an \
                     IP address"
                )));
            };
            self.never_resume_names.insert(parsed.server_name().clone());
        }
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

    /// Whether sessions of this host are neither stored nor offered.
    pub(crate) fn never_resumes(&self, host: &Host) -> bool {
        self.never_resume_names.contains(host.server_name())
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

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    /// Every connection asks.
    #[test]
    fn asking_whether_a_host_resumes_allocates_nothing() {
        let settings = Settings {
            never_resume: vec!["Pinned.example.".into(), "[2001:db8::1]".into()],
            ..Settings::default()
        };
        let settings = settings.load().expect("valid settings");
        for (host, never) in [
            ("PINNED.example", true),
            ("2001:db8::1", true),
            ("other.example", false),
            ("192.0.2.1", false),
        ] {
            let host = Host::parse(host).expect("a host");
            let counted = measure(|| assert_eq!(settings.never_resumes(&host), never));
            assert_eq!(counted.count_total, 0, "{host:?}");
        }
    }
}
