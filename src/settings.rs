//! Everything a connector is told, the same for either backend.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use store_core::{Clock, KeyRef, Limits, SecurityDomain, SessionKey, SystemClock};

#[cfg(feature = "shared")]
use crate::sharing::Place;
use crate::{Error, ErrorKind, Protocol};

/// How long a connection may take until its handshake is done, if nothing else is said.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read of a file of roots: fifty times what all public roots take.
pub(crate) const LONGEST_FILE: u64 = 16 * 1024 * 1024;

/// What a connector is told. A field that decides over trust or over what is offered to a server
/// has its line in [`crate::domain`].
pub struct Settings {
    pub(crate) root_files: Vec<PathBuf>,
    /// Empty: Mozilla's roots. Loaded settings with `own_roots` have at least one.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// Whether roots were given, if only an empty list of them.
    pub(crate) own_roots: bool,
    pub(crate) client: Option<ClientCredential>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) limits: Limits,
    pub(crate) domain: String,
    pub(crate) never_resume: Vec<String>,
    never_resume_keys: HashSet<SessionKey>,
    pub(crate) timeout: Duration,
    pub(crate) early_data: bool,
    /// Whether events name servers.
    #[cfg(feature = "tracing")]
    pub(crate) names_servers: bool,
    /// Labels of the metrics; none: the domain's name.
    #[cfg(feature = "metrics")]
    pub(crate) metric_labels: Option<Vec<metrics::Label>>,
    #[cfg(feature = "shared")]
    pub(crate) place: Place,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What the client proves itself with. No `Debug`: it holds a private key.
pub(crate) struct ClientCredential {
    /// The client's certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root_files: Vec::new(),
            roots: Vec::new(),
            own_roots: false,
            client: None,
            alpn: Vec::new(),
            protocols: vec![Protocol::Tls12, Protocol::Tls13],
            limits: Limits::default(),
            domain: String::new(),
            never_resume: Vec::new(),
            never_resume_keys: HashSet::new(),
            timeout: TIMEOUT,
            early_data: false,
            #[cfg(feature = "tracing")]
            names_servers: false,
            #[cfg(feature = "metrics")]
            metric_labels: None,
            #[cfg(feature = "shared")]
            place: Place::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Settings {
    /// Reads the files and puts what has no order into one.
    pub(crate) fn load(mut self) -> Result<Self, Error> {
        for path in std::mem::take(&mut self.root_files) {
            self.roots.append(&mut read_certificates(&path)?);
        }
        self.roots
            .sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        self.roots.dedup();
        if self.own_roots && self.roots.is_empty() {
            let message = "an empty list of roots trusts nobody: give at least one, or none at all";
            return Err(Error::new(ErrorKind::Config, message));
        }
        for host in &self.never_resume {
            if ServerName::try_from(host.as_str()).is_err() {
                let message = format!(
                    "{host:?} in never_resume is no host: give the host alone, a DNS name or an IP \
                     address"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
            self.never_resume_keys.insert(server_alone(host));
        }
        self.protocols.sort();
        self.protocols.dedup();
        if self.protocols.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "no protocol version: allow at least one in protocols",
            ));
        }
        let alpn_fits = |name: &Vec<u8>| (1..=255).contains(&name.len());
        if !self.alpn.iter().all(alpn_fits) {
            let message = "an ALPN protocol name has 1 to 255 bytes: correct alpn";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.early_data && self.alpn.len() > 1 {
            // Early data is in the protocol of the session's connection, whichever that was.
            let message = "early data is for one application protocol: offer at most one by ALPN, \
                           or make a connector for each";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(self)
    }

    /// How long a connection waits for a session from beyond memory: never so long that no time is left
    /// for a full handshake.
    #[cfg(feature = "shared")]
    pub(crate) fn patience(&self) -> Duration {
        self.place.wait.min(self.timeout / 2)
    }

    /// Whether sessions with this host are neither kept nor offered.
    pub(crate) fn never_resumes(&self, host: &str) -> bool {
        self.never_resume_keys.contains(&server_alone(host))
    }
}

/// A host as a key of its own, so that all spellings of it meet.
fn server_alone(host: &str) -> SessionKey {
    KeyRef::new(&SecurityDomain::from([0; 32]), host).to_key()
}

pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let shown = path.display();
    let certificates = File::open(path)
        .map_err(pem::Error::Io)
        .and_then(|file| CertificateDer::pem_reader_iter(file.take(LONGEST_FILE)).collect());
    let certificates: Vec<_> = certificates.map_err(|error| {
        let message = format!("{shown}: cannot read certificates ({error}): give a PEM file");
        Error::new(ErrorKind::Config, message).caused_by(error)
    })?;
    if certificates.is_empty() {
        let message = format!("{shown}: no certificate in it: give a PEM file with at least one");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(certificates)
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
