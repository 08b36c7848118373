//! A pool of client configurations, each with the handle of one connection.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustls::ClientConfig;
use rustls::client::Resumption;
use store_core::KeyRef;

use crate::connection::Connection;
use crate::sessions::Sessions;

/// Idle configurations to keep for reuse.
const MOST_IDLE: usize = 16;

/// A pool of clones of one `ClientConfig`, each with the handle of one connection
/// ([`Connection`]).
///
/// A `ClientConfig` holds the handle, so every connection needs a configuration of its own. Cloning
/// one takes longer than the store's work for a connection. The pool keeps up to 16 idle clones
/// with their handles, and the next connection uses one of them again. Clones of the pool share
/// its configurations.
#[derive(Clone)]
pub struct ConfigPool(Arc<Pool>);

struct Pool {
    sessions: Sessions,
    config: Arc<ClientConfig>,
    idle: Mutex<Vec<Pair>>,
}

/// A configuration, and the handle in it.
struct Pair {
    // invariant: in `Pool::idle`, no other references
    config: Arc<ClientConfig>,
    // invariant: in `Pool::idle`, only `config` has another reference
    connection: Arc<Connection>,
}

impl ConfigPool {
    /// Creates a pool of clones of `config`, whose `resumption` and `enable_early_data` are
    /// overwritten, for connections that resume from `sessions`.
    pub fn new(mut config: ClientConfig, sessions: Sessions) -> Self {
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Self(Arc::new(Pool {
            sessions,
            config: Arc::new(config),
            idle: Mutex::default(),
        }))
    }

    /// The configuration that is cloned. It neither offers nor stores sessions: for a connection
    /// that must not.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0.config
    }

    /// The sessions from which connections resume.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// The handle of a connection to the server `key`, with its configuration.
    ///
    /// The connection begins with this call: sessions received after a later `clear` are not
    /// stored.
    pub fn connection<'k>(&self, key: impl Into<KeyRef<'k>>) -> PooledConnection {
        self.get(key.into(), false)
    }

    /// The same for a connection that may send early data if the offered session allows it. Write
    /// the data before the handshake
    /// ([`early_data`](rustls::client::ClientConnection::early_data)).
    pub fn connection_for_early_data<'k>(&self, key: impl Into<KeyRef<'k>>) -> PooledConnection {
        self.get(key.into(), true)
    }

    fn get(&self, key: KeyRef<'_>, early_data: bool) -> PooledConnection {
        let idle = self.0.idle().pop();
        let mut pair = match idle {
            Some(pair) => {
                pair.connection.begin_again(key);
                pair
            }
            None => self.0.create(key),
        };
        if pair.config.enable_early_data != early_data
            && let Some(config) = Arc::get_mut(&mut pair.config)
        {
            config.enable_early_data = early_data;
        }
        PooledConnection {
            pair: Some(pair),
            pool: Arc::clone(&self.0),
        }
    }
}

impl Pool {
    #[cold]
    fn create(&self, key: KeyRef<'_>) -> Pair {
        let connection = self.sessions.connection(key.to_key());
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = connection.resumption();
        Pair {
            config: Arc::new(config),
            connection,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Pair>> {
        // No code panics while the list is half changed.
        self.idle.lock()
    }
}

/// The handle of a connection, with its configuration.
///
/// Drop it after the connection of rustls and after all clones of the handle: otherwise the pool
/// does not reuse it. As with a [`Connection`], dropping it without
/// [`settle`](Connection::settle) or [`cancel`](Connection::cancel) means that the handshake failed.
pub struct PooledConnection {
    // invariant: present until it is dropped
    pair: Option<Pair>,
    pool: Arc<Pool>,
}

impl PooledConnection {
    fn pair(&self) -> &Pair {
        self.pair.as_ref().expect("present until it is dropped")
    }

    /// The configuration, for `ClientConnection::new`.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.pair().config)
    }

    /// The handle.
    pub fn handle(&self) -> &Arc<Connection> {
        &self.pair().connection
    }
}

impl Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.handle()
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut pair) = self.pair.take() else {
            return;
        };
        // In use by a connection otherwise, which may still store sessions: not reused.
        let unused =
            Arc::get_mut(&mut pair.config).is_some() && Arc::strong_count(&pair.connection) == 2;
        if unused {
            pair.connection.end();
            let mut idle = self.pool.idle();
            if idle.len() < MOST_IDLE {
                idle.push(pair);
            }
        }
    }
}

impl fmt::Debug for ConfigPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigPool").field(&self.0.config).finish()
    }
}

impl fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledConnection")
            .field(self.handle())
            .finish()
    }
}
