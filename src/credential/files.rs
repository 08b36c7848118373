//! A credential in a pair of PEM files, which is read again when they change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use super::{ClientCredential, CredentialSource, RotatingCredential};
use crate::Error;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// A file that was modified so recently may be modified again without another time stamp, as those
/// of some file systems are whole seconds.
const UNSETTLED: Duration = Duration::from_secs(3);

/// A client certificate and its key in two PEM files, which another program replaces now and then.
///
/// The time stamps and lengths of both files are looked at when a connection begins, at most once a
/// second; if one has changed, both are read again, on the thread of that connection. While a file is
/// missing, incomplete or unreadable, or the key is not that of the certificate, the credential before
/// stays in use, and the files are looked at again: so they can be replaced one after the other.
/// [`Connector::client_certificate_error`] says so.
///
/// [`Connector::client_certificate_error`]: crate::generic::Connector::client_certificate_error
///
/// ```no_run
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), tls_resume::Error> {
/// use tls_resume::CredentialFiles;
/// use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
///
/// let files = CredentialFiles::open("/run/identity/client.pem", "/run/identity/client.key")?;
/// let connector = Connector::builder().client_credentials(files).build()?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustls"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct CredentialFiles {
    chain: PathBuf,
    key: PathBuf,
    credential: RotatingCredential,
    watch: Mutex<Watch>,
}

/// The last look at the files.
#[derive(Debug)]
struct Watch {
    at: Instant,
    /// The files that were read last. `None`: they are read again at the next look.
    read: Option<[Stamp; 2]>,
    error: Option<String>,
}

/// What shows that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

impl CredentialFiles {
    /// Reads both files: `chain` has the client's certificate, then intermediates. Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn open(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        let (chain, key) = (chain.into(), key.into());
        let read = stamps(&chain, &key);
        let credential = ClientCredential::from_pem_files(&chain, &key)?;
        Ok(Self {
            chain,
            key,
            credential: RotatingCredential::new(credential),
            watch: Mutex::new(Watch {
                at: Instant::now(),
                read,
                error: None,
            }),
        })
    }

    /// Looks at the files, and reads them if they have changed.
    fn look(&self, watch: &mut Watch) {
        watch.at = Instant::now();
        // Before they are read: a change meanwhile is seen at the next look.
        let stamps = stamps(&self.chain, &self.key);
        if stamps.is_some() && stamps == watch.read {
            return;
        }
        match ClientCredential::from_pem_files(&self.chain, &self.key) {
            Ok(read) => {
                if !self.credential.current().is_same(&read) {
                    self.credential.set(read);
                }
                watch.read = stamps;
                watch.error = None;
            }
            Err(error) => {
                watch.read = None;
                watch.error = Some(error.to_string());
            }
        }
    }
}

impl CredentialSource for CredentialFiles {
    fn current(&self) -> Arc<ClientCredential> {
        let watch = match self.watch.try_lock() {
            Ok(watch) => Some(watch),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            // Another connection looks.
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut watch) = watch
            && watch.at.elapsed() >= INTERVAL
        {
            self.look(&mut watch);
        }
        self.credential.current()
    }

    fn error(&self) -> Option<String> {
        let watch = self.watch.lock();
        watch.unwrap_or_else(PoisonError::into_inner).error.clone()
    }
}

/// The stamps of both files; `None` if one of them has none, or may change without changing it.
fn stamps(chain: &Path, key: &Path) -> Option<[Stamp; 2]> {
    let settled = |stamp: &Stamp| {
        let age = SystemTime::now().duration_since(stamp.modified);
        age.is_ok_and(|age| age >= UNSETTLED)
    };
    let stamp = |path| stamp(path).ok().filter(settled);
    Some([stamp(chain)?, stamp(key)?])
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        modified: metadata.modified()?,
        length: metadata.len(),
    })
}
