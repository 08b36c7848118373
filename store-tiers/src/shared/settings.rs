//! Settings of a shared store, and the errors of its creation.

use std::io;
use std::time::Duration;

use store_core::LimitsError;
use thiserror::Error;

/// Settings of a [`SharedStore`](crate::SharedStore).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedSettings {
    /// Single-use sessions of a server that stay in memory while connections use it. Default 1.
    pub sessions_in_memory: usize,
    /// How long these may stay unused before they are written to the tier, too. Default 1 s.
    pub idle_timeout: Duration,
    /// Most servers with a queued write, and most with a queued fetch. Default 4,096.
    pub queue_capacity: usize,
    /// A call to the tier that takes longer counts as stalled: no connection waits for it, and idle
    /// sessions stay in memory meanwhile. Default 5 ms.
    pub stall_timeout: Duration,
    /// How long dropping the store may block while the tier answers. Default 1 s. A call that takes
    /// longer than 40 ms, and 4 times as long as any before, is not waited for: the worker writes the
    /// rest, and ends, by itself.
    pub shutdown_timeout: Duration,
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self {
            sessions_in_memory: 1,
            idle_timeout: Duration::from_secs(1),
            queue_capacity: 4_096,
            stall_timeout: Duration::from_millis(5),
            shutdown_timeout: Duration::from_secs(1),
        }
    }
}

/// A [`SharedStore`](crate::SharedStore) cannot be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The memory limits contradict each other.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The worker thread cannot be started.
    #[error("no thread for the shared store ({0}): raise the limit on threads")]
    Thread(io::Error),
}
