//! A store in memory with a tier behind it.

mod arrival;
mod breaker;
mod queue;
mod revocations;
mod stats;
#[cfg(test)]
mod tests;
mod waiting;
mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use store_core::{
    Clock, KeyRef, Limits, LimitsError, Portable, SecurityDomain, SessionKey, SessionStore,
};
use thiserror::Error;

use self::arrival::Arrival;
#[cfg(feature = "tokio")]
use self::arrival::Arriving;
use self::breaker::Breaker;
use self::queue::Queue;
use self::revocations::Revocations;
use self::worker::Worker;
use crate::{KeyRing, Tier};

pub use self::stats::TierStats;

/// A store whose sessions outlive the process: memory in front, a [`Tier`] behind.
///
/// # Contract
/// - **Connections read memory only.** They never wait for the tier, unless they ask to
///   ([`fetch`](Self::fetch)), and then no longer than they say.
/// - **One place.** A single-use session is in the memory of one process, or in the tier. What a
///   tier does not confirm is given up.
/// - **Never in the way.** A tier that is slow, hung, down, full or corrupt costs a full handshake.
///   One that fails is left alone for a while, longer each time up to 10 s, and then tried again.
/// - **Sealed.** What leaves memory is sealed by the [`KeyRing`]; servers go by a keyed hash.
///
/// # How sessions move
/// The newest session of a server stays in memory for the next connection; those beyond are written
/// to the tier at once, and what lies unused for a second as well, for others may need it more.
/// What a connection does not find is fetched, for that connection if it waits, else for the next.
///
/// # Fork
/// A child has no worker and starts with nothing: make the store after the fork.
///
/// Dropping it writes what memory holds, for as long as
/// [`shutdown_timeout`](SharedSettings::shutdown_timeout) allows.
pub struct SharedStore<S> {
    memory: Arc<SessionStore<S>>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    settings: SharedSettings,
}

/// How a [`SharedStore`] works.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedSettings {
    /// Single-use sessions of a server that stay in memory while it is in use. Default 1.
    pub sessions_in_memory: usize,
    /// How long they may lie unused until they are shared, too. Default 1 s.
    pub idle_timeout: Duration,
    /// Servers that may wait to be written, and to be fetched. Default 4,096.
    pub queue_capacity: usize,
    /// How long the tier may take over one call until nobody waits for it. Default 5 ms.
    pub stall_timeout: Duration,
    /// How long dropping the store may take. Default 1 s.
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

/// A shared store cannot be made. The message says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The limits of its memory contradict each other.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The system gives no thread.
    #[error("no thread for the shared store ({0}): raise the limit on threads")]
    Thread(io::Error),
}

impl<S: Portable> SharedStore<S> {
    /// An empty memory with this tier behind it.
    pub fn new(
        limits: Limits,
        tier: Box<dyn Tier>,
        ring: KeyRing,
        settings: SharedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SharedError> {
        let queue = Arc::new(Queue::new(settings.clone()));
        let behind = Arc::<Queue>::clone(&queue);
        let memory = Arc::new(SessionStore::with_observer(limits, behind)?);
        queue.begin(memory.generation());
        let worker = Worker {
            memory: Arc::clone(&memory),
            queue: Arc::clone(&queue),
            ring,
            tier,
            clock: Arc::clone(&clock),
            idle: settings.idle_timeout,
            breaker: Breaker::default(),
            writes: Breaker::default(),
            revoked: Revocations::new(),
        };
        thread::Builder::new()
            .name("tls-resume".into())
            .spawn(move || worker.run())
            .map_err(SharedError::Thread)?;
        Ok(Self {
            memory,
            queue,
            clock,
            settings,
        })
    }
}

impl<S> SharedStore<S> {
    /// The store in memory: what connections use.
    pub fn memory(&self) -> &Arc<SessionStore<S>> {
        &self.memory
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What has been done beyond memory.
    pub fn tier_stats(&self) -> TierStats {
        self.queue.counters.read()
    }
}

impl<S: Portable> SharedStore<S> {
    /// Begins to fetch a session of `key` for a connection that is about to be made, unless memory
    /// has one. Returns at once; meanwhile there are other things to do, such as to connect.
    pub fn fetch<'k>(&self, key: impl Into<KeyRef<'k>>) -> Fetch {
        let key = key.into();
        // Without room for a server, what is fetched would be lost.
        if !self.queue.is_alive() || self.memory.limits().servers == 0 {
            return Fetch {
                expected: None,
                arrival: None,
            };
        }
        let ready = self.memory.available(key, self.clock.now());
        let ready = if ready.reusable {
            usize::MAX
        } else {
            ready.single_use
        };
        let key = key.to_key();
        let arrival = self.queue.expect(&key, ready);
        let expected = Some((Arc::clone(&self.queue), key));
        Fetch { expected, arrival }
    }

    /// Fetches a session of `key` for a connection that is made next, and waits for it at most for
    /// `deadline`. Whether memory has one then.
    pub fn prefetch<'k>(&self, key: impl Into<KeyRef<'k>>, deadline: Duration) -> bool {
        let key = key.into();
        self.fetch(key).wait(deadline);
        self.is_ready(key)
    }

    /// The same in a task of tokio.
    #[cfg(feature = "tokio")]
    pub async fn prefetch_async(&self, key: &SessionKey, deadline: Duration) -> bool {
        self.fetch(key).wait_async(deadline).await;
        self.is_ready(key.as_key())
    }

    fn is_ready(&self, key: KeyRef<'_>) -> bool {
        let ready = self.memory.available(key, self.clock.now());
        ready.reusable || ready.single_use > 0
    }

    /// Loads up to `most` records of `domain` into memory, those that live longest, and waits for
    /// them at most for `deadline`: for a process that starts and is alone. Whether that was done.
    /// A tier for many machines gives none.
    pub fn load(&self, domain: &SecurityDomain, most: usize, deadline: Duration) -> bool {
        self.queue.is_alive() && self.queue.load(*domain, most).wait(deadline) == Some(true)
    }

    /// Writes what memory holds, and waits for that at most for `deadline`. Whether it was done; if
    /// not, what was not written is in memory, or given up.
    pub fn flush(&self, deadline: Duration) -> bool {
        self.queue.is_alive() && self.queue.flush(false).wait(deadline) == Some(true)
    }
}

impl<S> Drop for SharedStore<S> {
    fn drop(&mut self) {
        if self.queue.is_alive() {
            // Not joined: a tier that hangs keeps its thread, and nobody else.
            self.queue.flush(true).wait(self.settings.shutdown_timeout);
        }
    }
}

impl<S> fmt::Debug for SharedStore<S> {
    /// Shows the settings and the counters, never what is stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("settings", &self.settings)
            .field("tier_stats", &self.tier_stats())
            .finish_non_exhaustive()
    }
}

/// A session on its way to a connection.
///
/// Until it is waited for or dropped, the connection counts as one that will need a session: so
/// connections that begin at the same time each have one fetched.
#[must_use = "wait for it, or nothing is known of the session"]
pub struct Fetch {
    expected: Option<(Arc<Queue>, SessionKey)>,
    arrival: Option<Arc<Arrival>>,
}

impl Fetch {
    /// Waits for it at most for `deadline`: not at all if memory has a session, if there is no tier
    /// to be had, or if the tier is stuck.
    pub fn wait(self, deadline: Duration) {
        if let Some(arrival) = self.worth_waiting_for() {
            arrival.wait(deadline);
        }
    }

    /// The same in a task of tokio.
    #[cfg(feature = "tokio")]
    pub async fn wait_async(self, deadline: Duration) {
        if let Some(arrival) = self.worth_waiting_for() {
            let arriving = Arriving(Arc::clone(arrival));
            // Too late is as good as nothing.
            let _ = tokio::time::timeout(deadline, arriving).await;
        }
    }

    fn worth_waiting_for(&self) -> Option<&Arc<Arrival>> {
        let (queue, _) = self.expected.as_ref()?;
        self.arrival.as_ref().filter(|_| !queue.is_stalled())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if let Some((queue, key)) = &self.expected {
            queue.expect_no_more(key);
        }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("on_its_way", &self.arrival.is_some())
            .finish_non_exhaustive()
    }
}
