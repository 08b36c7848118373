//! Stores from outside this project, which a program brings to be measured.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lab::server::Library;
use openssl::ssl::{SslSession, SslSessionRef};
use peers::{RustlsStore, StoreFactory};
use rustls::client::ClientSessionStore;

/// A store that a program brings: its name in the report, and how to make an empty one. Two are
/// equal if library and name are.
///
/// Each client gets a new one. All clients connect to the same server.
#[derive(Clone)]
pub struct CustomStore {
    name: Arc<str>,
    factory: Factory,
}

#[derive(Clone)]
enum Factory {
    Rustls {
        make: Arc<dyn Fn() -> Arc<dyn ClientSessionStore> + Send + Sync>,
        /// The same store for the measurements without handshakes.
        store_factory: StoreFactory,
    },
    OpenSsl(Arc<dyn Fn() -> Arc<dyn OpenSslStore> + Send + Sync>),
}

/// A session store for OpenSSL. Host and port are those of the server.
pub trait OpenSslStore: Send + Sync {
    /// Stores a session that a server issued. After a resumed TLS 1.2 handshake, for which OpenSSL
    /// calls no callback, it is the session in use, renewed or not.
    fn put(&self, host: &str, port: u16, session: SslSession);

    /// The session that a connection offers. A TLS 1.3 session ([`is_single_use`]) must be removed
    /// from the store, a TLS 1.2 session may stay.
    fn offer(&self, host: &str, port: u16) -> Option<SslSession>;
}

/// Whether a session may be offered only once, which holds for TLS 1.3.
pub fn is_single_use(session: &SslSessionRef) -> bool {
    session.protocol_version() == openssl::ssl::SslVersion::TLS1_3
}

impl CustomStore {
    /// A store for clients on rustls.
    pub fn rustls<S>(name: &str, make: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: ClientSessionStore + 'static,
    {
        let make = Arc::new(make);
        let make_bare = Arc::clone(&make);
        Self {
            name: name.into(),
            factory: Factory::Rustls {
                make: Arc::new(move || Arc::new(make())),
                store_factory: StoreFactory::custom(name, move || RustlsStore(make_bare())),
            },
        }
    }

    /// A store for clients on OpenSSL.
    pub fn openssl<S>(name: &str, make: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: OpenSslStore + 'static,
    {
        Self {
            name: name.into(),
            factory: Factory::OpenSsl(Arc::new(move || Arc::new(make()))),
        }
    }

    /// Its name in the report.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library whose clients can use it.
    pub fn library(&self) -> Library {
        match self.factory {
            Factory::Rustls { .. } => Library::Rustls,
            Factory::OpenSsl(_) => Library::OpenSsl,
        }
    }

    /// The store for measurements without handshakes; `None` unless it is for rustls.
    pub fn store_factory(&self) -> Option<&StoreFactory> {
        match &self.factory {
            Factory::Rustls { store_factory, .. } => Some(store_factory),
            Factory::OpenSsl(_) => None,
        }
    }

    pub(super) fn make_rustls(&self) -> Option<Arc<dyn ClientSessionStore>> {
        match &self.factory {
            Factory::Rustls { make, .. } => Some(make()),
            Factory::OpenSsl(_) => None,
        }
    }

    pub(super) fn make_openssl(&self) -> Option<Arc<dyn OpenSslStore>> {
        match &self.factory {
            Factory::Rustls { .. } => None,
            Factory::OpenSsl(make) => Some(make()),
        }
    }
}

impl PartialEq for CustomStore {
    fn eq(&self, other: &Self) -> bool {
        (self.library(), self.name()) == (other.library(), other.name())
    }
}

impl Eq for CustomStore {}

impl Hash for CustomStore {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.library(), self.name()).hash(state);
    }
}

impl fmt::Debug for CustomStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomStore")
            .field("name", &self.name)
            .field("library", &self.library())
            .finish_non_exhaustive()
    }
}
