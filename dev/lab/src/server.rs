//! TLS servers on rustls and OpenSSL with the same settings, without I/O.

mod connection;
mod ffi;
mod openssl_server;
mod rustls_server;
mod settings;
mod ticket_keys;
mod ticket_observer;
mod ticketer;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use openssl::ssl::SslContext;

pub use connection::{Handshake, ServerConnection};
pub use ffi::{ticket_bytes, ticket_lifetime_hint};
pub use settings::{
    Group, Library, OpenSslOnly, Protocol, RustlsOnly, ServerResumption, ServerSettings,
};
pub use ticket_keys::TicketKeys;
pub use ticket_observer::DeclineReason;

use ticket_observer::TicketObserver;

/// A TLS server, which creates [`ServerConnection`]s. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    settings: Arc<ServerSettings>,
    context: Arc<RwLock<Context>>,
}

/// A library's object that all connections share. It owns the ticket keys and the session cache.
#[derive(Clone)]
enum Context {
    Rustls(rustls_server::Context),
    OpenSsl(SslContext),
}

impl Context {
    fn new(library: Library, settings: &ServerSettings) -> Self {
        match library {
            Library::Rustls => Self::Rustls(rustls_server::Context::new(settings)),
            Library::OpenSsl => Self::OpenSsl(openssl_server::context(settings)),
        }
    }
}

impl Server {
    /// Creates a server.
    ///
    /// # Panics
    ///
    /// Panics if the settings are invalid: no protocol or group, a key that does not belong to the
    /// certificate, or a group that the library lacks (see [`Library::supports`]).
    pub fn new(library: Library, settings: &ServerSettings) -> Self {
        let context = Context::new(library, settings);
        Self {
            settings: Arc::new(settings.clone()),
            context: Arc::new(RwLock::new(context)),
        }
    }

    /// The server's end of a new connection.
    pub fn connection(&self) -> ServerConnection {
        self.connect(None)
    }

    /// The server's end of a new connection that counts the tickets it makes
    /// ([`ServerConnection::tickets_made`]) and knows why it declined the client's
    /// ([`ServerConnection::decline_reason`]).
    ///
    /// With `decline`, it declines every ticket; the tickets that it makes are still good. All of
    /// this is for self-contained tickets ([`ServerResumption::Tickets`]): sessions in the server's
    /// cache are neither observed nor declined.
    pub fn observed_connection(&self, decline: bool) -> ServerConnection {
        self.connect(Some(Arc::new(TicketObserver::new(decline))))
    }

    fn connect(&self, observer: Option<Arc<TicketObserver>>) -> ServerConnection {
        let context = self.context().clone();
        let observing = observer.clone();
        let engine: Box<dyn connection::Engine> = match context {
            Context::Rustls(context) => {
                Box::new(rustls_server::Connection::new(&context, observing))
            }
            Context::OpenSsl(context) => {
                Box::new(openssl_server::Connection::new(&context, observing))
            }
        };
        ServerConnection::new(engine, observer)
    }

    /// The library that this server runs on.
    pub fn library(&self) -> Library {
        match *self.context() {
            Context::Rustls(_) => Library::Rustls,
            Context::OpenSsl(_) => Library::OpenSsl,
        }
    }

    /// The settings that the server was created with.
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// Replaces the ticket keys by random ones and empties the session cache, as a restart does:
    /// new connections decline the sessions of earlier ones. Open connections keep the old keys.
    ///
    /// Keys from [`ServerSettings::ticket_keys`] are replaced, too.
    pub fn rotate_keys(&self) {
        let settings = ServerSettings {
            ticket_keys: None,
            ..self.settings().clone()
        };
        let new = Context::new(self.library(), &settings);
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn context(&self) -> RwLockReadGuard<'_, Context> {
        self.context.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("library", &self.library())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
