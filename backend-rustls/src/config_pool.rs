//! A pool of client configurations, one for each connection with its own handle.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use rustls::client::Resumption;

use crate::connection::Connection;

/// Idle configurations to keep for reuse.
const MOST_IDLE: usize = 16;

/// A pool of clones of one `ClientConfig`, for connections with a handle of their own
/// ([`Connection`]).
///
/// A `ClientConfig` holds the handle, so every connection needs a configuration of its own. Cloning
/// one takes longer than the store's work for a connection. The pool keeps up to 16 idle clones and
/// sets the next connection's handle in one of them. Clones of the pool share its configurations.
#[derive(Clone)]
pub struct ConfigPool(Arc<Pool>);

struct Pool {
    config: ClientConfig,
    // invariant: no other references, except of a `PooledConfig` that is being dropped
    idle: Mutex<Vec<Arc<ClientConfig>>>,
}

impl ConfigPool {
    /// Creates a pool of clones of `config`, whose `resumption` and `enable_early_data` are
    /// overwritten.
    pub fn new(mut config: ClientConfig) -> Self {
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Self(Arc::new(Pool {
            config,
            idle: Mutex::default(),
        }))
    }

    /// The configuration that is cloned. It neither offers nor stores sessions.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// A configuration for a connection with this handle, without early data. With `None`, the
    /// connection neither offers nor stores sessions.
    pub fn get(&self, handle: Option<&Arc<Connection>>) -> PooledConfig {
        self.get_with(handle, false)
    }

    /// A configuration for a connection with this handle that may send early data if the offered
    /// session allows it. Write the data before the handshake
    /// ([`early_data`](rustls::client::ClientConnection::early_data)).
    pub fn get_for_early_data(&self, handle: &Arc<Connection>) -> PooledConfig {
        self.get_with(Some(handle), true)
    }

    fn get_with(&self, handle: Option<&Arc<Connection>>, early_data: bool) -> PooledConfig {
        let idle = self.0.idle().pop();
        let mut config = idle.unwrap_or_else(|| Arc::new(self.0.config.clone()));
        if let Some(handle) = handle {
            // Clones the configuration if another `PooledConfig` of it is still being dropped,
            // which is rare.
            let config = Arc::make_mut(&mut config);
            config.resumption = handle.resumption();
            config.enable_early_data = early_data;
        }
        PooledConfig {
            config,
            pool: Arc::clone(&self.0),
        }
    }
}

/// A configuration of one connection. Drop it after the connection: otherwise the pool does not
/// reuse it.
pub struct PooledConfig {
    config: Arc<ClientConfig>,
    pool: Arc<Pool>,
}

impl PooledConfig {
    /// The configuration, for `ClientConnection::new`.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

impl Drop for PooledConfig {
    fn drop(&mut self) {
        // In use by a connection, so its handle must stay: not reused.
        let Some(config) = Arc::get_mut(&mut self.config) else {
            return;
        };
        // Replaces the handle before the lock is taken: dropping it may report to the store.
        config.resumption = self.pool.config.resumption.clone();
        config.enable_early_data = false;
        let mut idle = self.pool.idle();
        if idle.len() < MOST_IDLE {
            idle.push(Arc::clone(&self.config));
        }
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Arc<ClientConfig>>> {
        // No code panics while the list is half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ConfigPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigPool").field(&self.0.config).finish()
    }
}

impl fmt::Debug for PooledConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledConfig").field(&self.config).finish()
    }
}
