//! TLS servers on both libraries, configured alike and without I/O of their own.

mod connection;
mod session_timeout;
mod settings;
mod ticketer;
mod with_openssl;
mod with_rustls;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::ssl::SslContext;
use rustls::ServerConfig;

pub use connection::{Handshake, ServerConnection};
pub use settings::{Group, Library, Protocol, RustlsOnly, ServerResumption, ServerSettings};

/// A TLS server: hands out [`ServerConnection`]s. Cloning it is cheap and gives the same server.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    settings: ServerSettings,
    context: RwLock<Context>,
}

/// What a library builds once and all connections share. It owns the keys of the tickets and the
/// cache of the sessions.
#[derive(Clone)]
enum Context {
    Rustls(Arc<ServerConfig>),
    OpenSsl(SslContext),
}

impl Context {
    fn new(library: Library, settings: &ServerSettings) -> Self {
        match library {
            Library::Rustls => Self::Rustls(with_rustls::config(settings)),
            Library::OpenSsl => Self::OpenSsl(with_openssl::context(settings)),
        }
    }
}

impl Server {
    /// Builds a server.
    ///
    /// # Panics
    ///
    /// Panics if the settings cannot be served: no protocol or group, an identity that does not
    /// fit together, or a group that the library lacks (see [`Library::supports`]).
    pub fn new(library: Library, settings: &ServerSettings) -> Self {
        let context = RwLock::new(Context::new(library, settings));
        Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                context,
            }),
        }
    }

    /// The server's end of a new connection.
    pub fn connection(&self) -> ServerConnection {
        let context = self
            .shared
            .context
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        ServerConnection::new(match context {
            Context::Rustls(config) => Box::new(with_rustls::Connection::new(config)),
            Context::OpenSsl(context) => Box::new(with_openssl::Connection::new(&context)),
        })
    }

    /// The library this server runs on.
    pub fn library(&self) -> Library {
        match *self
            .shared
            .context
            .read()
            .unwrap_or_else(PoisonError::into_inner)
        {
            Context::Rustls(_) => Library::Rustls,
            Context::OpenSsl(_) => Library::OpenSsl,
        }
    }

    /// The settings it was built from.
    pub fn settings(&self) -> &ServerSettings {
        &self.shared.settings
    }

    /// Forgets every session: connections made from now on decline all tickets and session ids
    /// that were issued before.
    ///
    /// The context is built anew, with new random ticket keys and an empty cache, as after a
    /// restart. A connection that is already under way keeps the old one.
    pub fn rotate_keys(&self) {
        let fresh = Context::new(self.library(), &self.shared.settings);
        *self
            .shared
            .context
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("library", &self.library())
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
