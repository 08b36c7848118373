//! The client's certificate with its key, and sources of one that rotates.

mod files;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroize;

pub use self::files::CredentialFiles;
use crate::Error;
use crate::settings::{read_certificates, read_key};

/// A client certificate with its private key, by which a client authenticates itself.
///
/// The key is wiped when the last reference is dropped, and `Debug` does not show it.
pub struct ClientCredential {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientCredential {
    /// `chain` is the client's certificate, then intermediates; `key` is the certificate's private
    /// key. Whether they belong together is checked where they are used.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// Reads the chain and the key from PEM files, 16 MiB of each at most. Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(
            read_certificates(chain.as_ref())?,
            read_key(key.as_ref())?,
        ))
    }

    /// The client's certificate, then intermediates.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Whether certificates and key are the same.
    fn is_same(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key == other.key
    }
}

impl Drop for ClientCredential {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredential")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// A client certificate that changes while its connector is in use: each connection asks for the
/// current one. Set by [`ConnectorBuilder::client_credentials`].
///
/// [`RotatingCredential`] is one that the application sets, and [`CredentialFiles`] reads a pair of
/// files. An `Arc` of a source is a source, too.
///
/// [`ConnectorBuilder::client_credentials`]: crate::generic::ConnectorBuilder::client_credentials
pub trait CredentialSource: Send + Sync {
    /// The credential for a connection that begins now.
    ///
    /// The same `Arc` until the credential changes: the pointers are compared. Every connection calls
    /// this, on the thread that drives it: it should only count a reference.
    fn current(&self) -> Arc<ClientCredential>;

    /// Why a newer credential is not used, if there is one that cannot be.
    fn error(&self) -> Option<String> {
        None
    }
}

impl<S: CredentialSource + ?Sized> CredentialSource for Arc<S> {
    fn current(&self) -> Arc<ClientCredential> {
        S::current(self)
    }

    fn error(&self) -> Option<String> {
        S::error(self)
    }
}

/// A credential that the application replaces, for instance when its identity provider issues the
/// next one.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn example(
/// #     first: tls_resume::ClientCredential,
/// #     next: tls_resume::ClientCredential,
/// # ) -> Result<(), tls_resume::Error> {
/// use std::sync::Arc;
/// use tls_resume::RotatingCredential;
/// use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
///
/// let credential = Arc::new(RotatingCredential::new(first));
/// let connector = Connector::builder()
///     .client_credentials(Arc::clone(&credential))
///     .build()?;
/// // An hour later. Connections that begin from here on authenticate with the new one.
/// credential.set(next);
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct RotatingCredential(RwLock<Arc<ClientCredential>>);

impl RotatingCredential {
    /// Starts with this credential.
    pub fn new(first: ClientCredential) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// Replaces the credential. Connections that have begun keep the one before.
    pub fn set(&self, next: ClientCredential) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

impl CredentialSource for RotatingCredential {
    fn current(&self) -> Arc<ClientCredential> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
