//! TLS servers on both libraries, configured alike and without I/O of their own.

mod connection;
mod settings;
mod ticket_keys;
mod ticketer;
mod unbound;
mod watch;
mod with_openssl;
mod with_rustls;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::ssl::SslContext;

pub use connection::{Handshake, ServerConnection};
pub use settings::{
    Group, Library, OpenSslOnly, Protocol, RustlsOnly, ServerResumption, ServerSettings,
};
pub use ticket_keys::TicketKeys;
pub use watch::DeclineReason;

use watch::Watch;

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
    Rustls(with_rustls::Context),
    OpenSsl(SslContext),
}

impl Context {
    fn new(library: Library, settings: &ServerSettings) -> Self {
        match library {
            Library::Rustls => Self::Rustls(with_rustls::Context::new(settings)),
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
        self.connect(None)
    }

    /// The same, and it knows what becomes of its tickets: how many it makes
    /// ([`ServerConnection::tickets_made`]) and why it takes none of the client's
    /// ([`ServerConnection::refusal`]).
    ///
    /// With `declines` it takes none at all, whatever is offered. What it makes is as good as any.
    /// All of this is about self-contained tickets ([`ServerResumption::Tickets`]); what becomes of
    /// sessions in the server's cache nobody is told, and they are not declined.
    pub fn watched(&self, declines: bool) -> ServerConnection {
        self.connect(Some(Arc::new(Watch::new(declines))))
    }

    fn connect(&self, watch: Option<Arc<Watch>>) -> ServerConnection {
        let context = self
            .shared
            .context
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let watched = watch.clone();
        let engine: Box<dyn connection::Engine> = match context {
            Context::Rustls(context) => Box::new(with_rustls::Connection::new(&context, watched)),
            Context::OpenSsl(context) => Box::new(with_openssl::Connection::new(&context, watched)),
        };
        ServerConnection::new(engine, watch)
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
    /// restart; keys that were [given](ServerSettings::ticket_keys) are given up. A connection that
    /// is already under way keeps the old one.
    pub fn rotate_keys(&self) {
        let settings = ServerSettings {
            ticket_keys: None,
            ..self.shared.settings.clone()
        };
        let fresh = Context::new(self.library(), &settings);
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
