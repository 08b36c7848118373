//! A store in memory with a tier.

mod backlog;
mod breaker;
mod completion;
mod queue;
mod revocations;
mod settings;
#[cfg(feature = "__simulation")]
pub mod simulation;
mod stats;
#[cfg(test)]
mod tests;
mod time;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use store_core::tier::TierAccess;
use store_core::{Clock, KeyRef, Limits, Portable, SecurityDomain, SessionKey, SessionStore};

use self::completion::Completion;
use self::queue::Queue;
use self::time::Time;
use self::worker::Worker;
use crate::{KeyRing, Tier};

pub use self::settings::{SharedError, SharedSettings};
pub use self::stats::TierStats;

/// A call to the tier that takes longer is not waited for when the store is dropped, unless others took
/// a quarter of it.
const HUNG: Duration = Duration::from_millis(40);

/// A store in memory with a [`Tier`], so that sessions outlive the process.
///
/// # Contract
/// - **Handshakes read memory only.** A connection waits for the tier only if it calls
///   [`fetch`](Self::fetch), and no longer than the timeout that it gives.
/// - **Never duplicated.** A single-use session is in the memory of one process, or in the tier. If
///   it is unknown whether the tier stored a session, the session is dropped.
/// - **Failures are misses.** A tier that is slow, hung, down, full or corrupt costs full
///   handshakes. After a failure a circuit breaker pauses calls, longer each time up to 4 s, and
///   then tries again.
/// - **Sealed.** Records outside memory are sealed by the [`KeyRing`]; servers are identified by a
///   keyed hash.
///
/// # How sessions move
/// The newest session of a server stays in memory for the next connection. Its other sessions are
/// written to the tier at once, and the newest one after a second without use, so that other
/// processes can use it. A session that memory does not have is fetched: for the connection that
/// misses it, if that waits, else for the next one.
///
/// # Clearing
/// `clear` and `clear_server` of [`memory`](Self::memory) remove records from the tier. `clear_domain`
/// cannot find them, since a server's id in the tier hides its domain: it writes when the domain was
/// cleared, for 7 days, the longest lifetime of a session. A process that fetches a session of the
/// domain reads this record, at most once in 10 seconds, and rejects sessions whose full handshake
/// was earlier. Other processes keep what they have in memory, as with the other two.
///
/// # Fork
/// A forked child has no worker thread, so its store has no tier: create the store after the fork.
///
/// # Dropping
/// Dropping the store writes the sessions in memory to the tier, for at most
/// [`shutdown_timeout`](SharedSettings::shutdown_timeout). It returns within 50 ms if a call hangs, or 4 times as long as the
/// longest call before took;
/// the worker then ends by itself, and what it has not written when the process ends is lost. In a
/// task, call `flush_async` before: dropping then finds nothing to write.
pub struct SharedStore<S> {
    memory: Arc<SessionStore<S>>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    settings: SharedSettings,
}

impl<S: Portable> SharedStore<S> {
    /// Creates a store with empty memory, and starts the thread that calls the tier.
    pub fn new(
        limits: Limits,
        tier: Box<dyn Tier>,
        ring: KeyRing,
        settings: SharedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SharedError> {
        let (store, worker) =
            Self::with_worker(limits, tier, ring, settings, clock, Time::Machine)?;
        thread::Builder::new()
            .name("tls-resume".into())
            .spawn(move || worker.run())
            .map_err(SharedError::Thread)?;
        Ok(store)
    }

    /// A store, and the worker that calls its tier.
    fn with_worker(
        limits: Limits,
        tier: Box<dyn Tier>,
        ring: KeyRing,
        settings: SharedSettings,
        clock: Arc<dyn Clock>,
        time: Time,
    ) -> Result<(Self, Worker<S>), SharedError> {
        let queue = Arc::new(Queue::new(settings.clone(), time));
        let observer = Arc::<Queue>::clone(&queue);
        let memory = Arc::new(SessionStore::with_observer(limits, observer)?);
        queue.set_generation(memory.generation());
        let worker = Worker::new(&memory, &queue, ring, tier, &clock);
        let store = Self {
            memory,
            queue,
            clock,
            settings,
        };
        Ok((store, worker))
    }
}

impl<S> SharedStore<S> {
    /// The store in memory, which connections use.
    pub fn memory(&self) -> &Arc<SessionStore<S>> {
        &self.memory
    }

    /// The clock of the store.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Counters of the tier.
    pub fn tier_stats(&self) -> TierStats {
        self.queue.counters.read()
    }
}

impl<S: Portable> SharedStore<S> {
    /// Starts fetching a session of `key` for a connection that is about to be made, unless memory
    /// has one. Returns at once, so that the caller can connect meanwhile.
    pub fn fetch<'k>(&self, key: impl Into<KeyRef<'k>>) -> Fetch {
        let key = key.into();
        // Without room in memory, a fetched session would be lost.
        if !self.queue.has_worker() || self.memory.limits().servers == 0 {
            return Fetch {
                pending: None,
                completion: None,
            };
        }
        let key = key.to_key();
        let completion = self.queue.begin_fetch(&key, || {
            let available = self.memory.available(&key, self.clock.now());
            if available.reusable {
                usize::MAX
            } else {
                available.single_use
            }
        });
        let pending = Some((Arc::clone(&self.queue), key));
        Fetch {
            pending,
            completion,
        }
    }

    /// Fetches a session of `key` for a connection that is made next, and waits for it for at most
    /// `timeout`. Returns whether memory has a session afterwards.
    pub fn prefetch<'k>(&self, key: impl Into<KeyRef<'k>>, timeout: Duration) -> bool {
        let key = key.into();
        self.fetch(key).wait(timeout);
        self.has_session(key)
    }

    /// [`prefetch`](Self::prefetch) without blocking the thread, until `timeout` completes.
    pub async fn prefetch_async(
        &self,
        key: &SessionKey,
        timeout: impl Future<Output = ()>,
    ) -> bool {
        self.fetch(key).wait_async(timeout).await;
        self.has_session(key.as_key())
    }

    fn has_session(&self, key: KeyRef<'_>) -> bool {
        let available = self.memory.available(key, self.clock.now());
        available.reusable || available.single_use > 0
    }

    /// Loads up to `most` records of `domain` into memory, the latest expiry first, and waits for
    /// at most `timeout`: for a process that starts and does not share the tier with a running
    /// one. Returns whether loading finished. A tier that many machines share loads none.
    pub fn load(&self, domain: &SecurityDomain, most: usize, timeout: Duration) -> bool {
        self.queue.has_worker() && self.queue.load(*domain, most).wait(timeout) == Some(true)
    }

    /// [`load`](Self::load) without blocking the thread, until `timeout` completes.
    pub async fn load_async(
        &self,
        domain: &SecurityDomain,
        most: usize,
        timeout: impl Future<Output = ()>,
    ) -> bool {
        self.queue.has_worker() && self.queue.load(*domain, most).wait_async(timeout).await
    }

    /// Writes the sessions in memory to the tier, and waits for at most `timeout`. Returns whether
    /// all were written; if not, the others are still in memory, or were dropped because it is
    /// unknown whether the tier has them.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.queue.has_worker() && self.queue.flush(false).wait(timeout) == Some(true)
    }

    /// [`flush`](Self::flush) without blocking the thread, until `timeout` completes.
    pub async fn flush_async(&self, timeout: impl Future<Output = ()>) -> bool {
        self.queue.has_worker() && self.queue.flush(false).wait_async(timeout).await
    }
}

impl<S> Drop for SharedStore<S> {
    fn drop(&mut self) {
        if !self.queue.has_worker() {
            return;
        }
        // The thread is not joined: a hung tier must not block the caller.
        let flushed = self.queue.flush(true);
        let began = Instant::now();
        while !self.queue.is_hung(HUNG) {
            let left = self
                .settings
                .shutdown_timeout
                .saturating_sub(began.elapsed());
            if left.is_zero() || flushed.wait(left.min(HUNG / 4)).is_some() {
                return;
            }
        }
    }
}

impl<S> fmt::Debug for SharedStore<S> {
    /// Shows the settings and the counters, never a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("settings", &self.settings)
            .field("tier_stats", &self.tier_stats())
            .finish_non_exhaustive()
    }
}

/// A session that is being fetched for a connection.
///
/// Until it is waited for or dropped, its connection counts as one that needs a session: for
/// connections that start at the same time, one session each is fetched.
#[must_use = "dropping it does not wait for the session"]
pub struct Fetch {
    /// The queue that counts the connection; `None` without a worker or without room in memory.
    pending: Option<(Arc<Queue>, SessionKey)>,
    /// `None` if there is nothing to wait for.
    completion: Option<Arc<Completion>>,
}

impl Fetch {
    /// Waits for the session for at most `timeout`. Returns at once if memory has a session, if
    /// the tier is not called because it failed, or if the tier is stalled.
    pub fn wait(self, timeout: Duration) {
        if let Some(completion) = self.worth_waiting_for() {
            completion.wait(timeout);
        }
    }

    /// [`wait`](Self::wait) without blocking the thread, until `timeout` completes.
    pub async fn wait_async(self, timeout: impl Future<Output = ()>) {
        if let Some(completion) = self.worth_waiting_for() {
            completion.wait_async(timeout).await; // a timeout is a miss
        }
    }

    fn worth_waiting_for(&self) -> Option<&Arc<Completion>> {
        let (queue, _) = self.pending.as_ref()?;
        self.completion.as_ref().filter(|_| !queue.is_stalled())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if let Some((queue, key)) = &self.pending {
            queue.end_fetch(key);
        }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("pending", &self.completion.is_some())
            .finish_non_exhaustive()
    }
}
