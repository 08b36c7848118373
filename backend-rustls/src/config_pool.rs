//! Configurations for connections that have a handle of their own.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use rustls::client::Resumption;

use crate::Connection;

/// What is lent again rather than made again; more than are in use at once, seldom.
const MOST_IDLE: usize = 16;

/// A `ClientConfig` for connections that each have a handle of their own ([`Connection`]).
///
/// The handle rides in the configuration, so every connection needs one of its own. Making a copy
/// takes longer than the store does; this keeps up to 16 that are no longer in use, and gives each
/// of them the next connection's handle. Cloning it gives the same ones.
#[derive(Clone)]
pub struct ConfigPool(Arc<Pool>);

struct Pool {
    config: ClientConfig,
    // invariant: nobody else has one of them, but for a `PooledConfig` in its drop
    idle: Mutex<Vec<Arc<ClientConfig>>>,
}

impl ConfigPool {
    /// Those that are as `config` is, but for its `resumption` and its `enable_early_data`.
    pub fn new(mut config: ClientConfig) -> Self {
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Self(Arc::new(Pool {
            config,
            idle: Mutex::default(),
        }))
    }

    /// What each of them begins with; it neither offers nor keeps sessions.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// One for a connection with this handle, or for one that neither offers nor keeps sessions.
    /// Neither announces early data.
    pub fn get(&self, handle: Option<&Arc<Connection>>) -> PooledConfig {
        self.lend_with(handle, false)
    }

    /// One for a connection with this handle that announces early data, if the session that it
    /// offers allows some: to be written before the handshake
    /// ([`early_data`](rustls::client::ClientConnection::early_data)).
    pub fn get_for_early_data(&self, handle: &Arc<Connection>) -> PooledConfig {
        self.lend_with(Some(handle), true)
    }

    fn lend_with(&self, handle: Option<&Arc<Connection>>, early_data: bool) -> PooledConfig {
        let idle = self.0.idle().pop();
        let mut config = idle.unwrap_or_else(|| Arc::new(self.0.config.clone()));
        if let Some(handle) = handle {
            // Copies it in the rare case that who lent it before is still at letting it go.
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

/// A configuration with a connection's handle in it: to be dropped after the connection, or it
/// cannot be lent again.
pub struct PooledConfig {
    config: Arc<ClientConfig>,
    pool: Arc<Pool>,
}

impl PooledConfig {
    /// What `ClientConnection::new` wants.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

impl Drop for PooledConfig {
    fn drop(&mut self) {
        // Whoever still has it may yet connect with it, and the handle in it is one connection's.
        let Some(config) = Arc::get_mut(&mut self.config) else {
            return;
        };
        // The handle goes now, without a lock: it may tell the store how its connection ended.
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
        // Nothing panics half-way through a change.
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
