//! Stores that are not of this project, which a program brings to be measured.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lab::server::Library;
use openssl::ssl::{SslSession, SslSessionRef};
use peers::{StoreFactory, RustlsStore};
use rustls::client::ClientSessionStore;

/// A store that a program brings: its name in the report, and how an empty one is made. Two are the
/// same if library and name are.
///
/// A new one is made for each client. All clients connect to the same server.
#[derive(Clone)]
pub struct Own {
    name: Arc<str>,
    maker: Maker,
}

#[derive(Clone)]
enum Maker {
    Rustls {
        make: Arc<dyn Fn() -> Arc<dyn ClientSessionStore> + Send + Sync>,
        /// The same without handshakes.
        candidate: StoreFactory,
    },
    OpenSsl(Arc<dyn Fn() -> Arc<dyn OpenSslStore> + Send + Sync>),
}

/// What a store for OpenSSL has to do. Host and port are those of the server.
pub trait OpenSslStore: Send + Sync {
    /// Stores a session that a server gave. After a resumed handshake of TLS 1.2, for which OpenSSL
    /// calls nobody, it is the session in use, renewed or not.
    fn put(&self, host: &str, port: u16, session: SslSession);

    /// The session that a connection offers. One of TLS 1.3 ([`is_single_use`]) must leave the store,
    /// one of TLS 1.2 may stay.
    fn offer(&self, host: &str, port: u16) -> Option<SslSession>;
}

/// Whether the session may be offered once only: it is of TLS 1.3.
pub fn is_single_use(session: &SslSessionRef) -> bool {
    session.protocol_version() == openssl::ssl::SslVersion::TLS1_3
}

impl Own {
    /// A store for clients on rustls.
    pub fn rustls<S>(name: &str, make: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: ClientSessionStore + 'static,
    {
        let make = Arc::new(make);
        let bare = Arc::clone(&make);
        Self {
            name: name.into(),
            maker: Maker::Rustls {
                make: Arc::new(move || Arc::new(make())),
                candidate: StoreFactory::custom(name, move || RustlsStore(bare())),
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
            maker: Maker::OpenSsl(Arc::new(move || Arc::new(make()))),
        }
    }

    /// Its name in the report.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose clients can have it.
    pub fn library(&self) -> Library {
        match self.maker {
            Maker::Rustls { .. } => Library::Rustls,
            Maker::OpenSsl(_) => Library::OpenSsl,
        }
    }

    /// The same to be measured without handshakes, if it takes the tickets of rustls.
    pub fn candidate(&self) -> Option<&StoreFactory> {
        match &self.maker {
            Maker::Rustls { candidate, .. } => Some(candidate),
            Maker::OpenSsl(_) => None,
        }
    }

    pub(super) fn make_rustls(&self) -> Option<Arc<dyn ClientSessionStore>> {
        match &self.maker {
            Maker::Rustls { make, .. } => Some(make()),
            Maker::OpenSsl(_) => None,
        }
    }

    pub(super) fn make_openssl(&self) -> Option<Arc<dyn OpenSslStore>> {
        match &self.maker {
            Maker::Rustls { .. } => None,
            Maker::OpenSsl(make) => Some(make()),
        }
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        (self.library(), self.name()) == (other.library(), other.name())
    }
}

impl Eq for Own {}

impl Hash for Own {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.library(), self.name()).hash(state);
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("name", &self.name)
            .field("library", &self.library())
            .finish_non_exhaustive()
    }
}
