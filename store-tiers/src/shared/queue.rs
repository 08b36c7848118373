//! The queue between connections and the worker: the backlog behind a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use store_core::tier::Standing;
use store_core::{Generation, KeyRef, SecurityDomain, SessionKey, StoreObserver, Usage};

use super::backlog::{Backlog, Full, Job, Request, Writes};
use super::completion::Completion;
use super::revocations::Revoked;
use super::settings::SharedSettings;
use super::stats::{Counters, count};
use super::time::Time;

/// The queue of jobs for the worker. Its lock is held only to add a job or to pick the next one.
pub(super) struct Queue {
    settings: SharedSettings,
    /// The id of the process that has the worker: a forked child has none.
    process: u32,
    time: Time,
    created: Instant,
    backlog: Mutex<Backlog>,
    changed: Condvar,
    /// When the current call to the tier began, in microseconds since `created`; 0 between calls.
    call_began: AtomicU64,
    /// The longest call that succeeded, in microseconds.
    longest_call: AtomicU64,
    worker_ended: AtomicBool,
    pub(super) counters: Counters,
}

/// Why the worker's pause ended.
pub(super) enum PauseEnd {
    Elapsed,
    Stopped,
}

impl Queue {
    pub(super) fn new(settings: SharedSettings, time: Time) -> Self {
        Self {
            process: std::process::id(),
            created: time.now(),
            time,
            backlog: Mutex::new(Backlog::new(settings.queue_capacity)),
            changed: Condvar::new(),
            call_began: AtomicU64::new(0),
            longest_call: AtomicU64::new(0),
            worker_ended: AtomicBool::new(false),
            counters: Counters::default(),
            settings,
        }
    }

    /// The time by which the queue and its worker wait.
    pub(super) fn now(&self) -> Instant {
        self.time.now()
    }

    /// See [`SharedSettings::idle_timeout`].
    pub(super) fn idle_timeout(&self) -> Duration {
        self.settings.idle_timeout
    }

    /// See [`SharedSettings::stall_timeout`].
    pub(super) fn stall_timeout(&self) -> Duration {
        self.settings.stall_timeout
    }

    /// Sets the generation of the new store. The worker takes no job before that.
    pub(super) fn set_generation(&self, generation: Generation) {
        self.lock().set_generation(generation);
    }

    /// Whether this process has a worker that runs.
    pub(super) fn has_worker(&self) -> bool {
        self.process == std::process::id() && !self.worker_ended.load(Ordering::Acquire)
    }

    /// Whether the current call to the tier takes longer than the stall timeout.
    pub(super) fn is_stalled(&self) -> bool {
        self.takes_longer_than(self.settings.stall_timeout)
    }

    /// Whether the current call to the tier takes longer.
    pub(super) fn takes_longer_than(&self, time: Duration) -> bool {
        let began = self.call_began.load(Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        began != 0 && self.micros().saturating_sub(began) > micros
    }

    fn micros(&self) -> u64 {
        let elapsed = self.now().saturating_duration_since(self.created);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    /// Counts a connection that is about to look for a session of `key`, and queues a fetch unless
    /// those in memory are enough: `available` counts them. Returns what to wait for, if anything.
    pub(super) fn begin_fetch(
        &self,
        key: &SessionKey,
        available: impl FnOnce() -> usize,
    ) -> Option<Arc<Completion>> {
        let mut backlog = self.lock();
        let connections = backlog.add_connection(key);
        let available = available(); // under the lock: see `take_surplus`
        let breaker_open = self.counters.breaker_open.load(Ordering::Relaxed);
        let enough = available >= connections;
        if enough || breaker_open || backlog.was_just_empty(key, self.now()) {
            return None;
        }
        let completion = backlog.fetch(key, connections - available);
        drop(backlog);
        self.changed.notify_one();
        if completion.is_err() {
            count(&self.counters.dropped, 1);
        }
        completion.ok().filter(|_| !self.is_stalled())
    }

    /// Takes sessions of `key` out of memory: `take` leaves as many as it is given, `kept` or those that
    /// pending connections will look for. No connection begins meanwhile: it would count on them.
    pub(super) fn take_surplus<T>(
        &self,
        key: &SessionKey,
        kept: usize,
        take: impl FnOnce(usize) -> T,
    ) -> T {
        let backlog = self.lock();
        // After a stop, there is no store left where connections could look.
        let pending = if backlog.is_stopped() {
            0
        } else {
            backlog.connections_to(key)
        };
        take(kept.max(pending))
    }

    /// Ends what [`begin_fetch`](Self::begin_fetch) began for one connection.
    pub(super) fn end_fetch(&self, key: &SessionKey) {
        // In a forked child, the lock may stay held for ever.
        if self.has_worker() {
            self.lock().remove_connection(key);
        }
    }

    /// Queues a flush of memory to the tier.
    pub(super) fn flush(&self, then_stop: bool) -> Arc<Completion> {
        let completion = Arc::<Completion>::default();
        let mut backlog = self.lock();
        backlog.request(Request::Flush(Arc::clone(&completion)));
        if then_stop {
            backlog.stop();
        }
        drop(backlog);
        self.changed.notify_one();
        completion
    }

    /// Queues a load of records.
    pub(super) fn load(&self, domain: SecurityDomain, most: usize) -> Arc<Completion> {
        let completion = Arc::<Completion>::default();
        let request = Request::Load(domain, most, Arc::clone(&completion));
        self.lock().request(request);
        self.changed.notify_one();
        completion
    }

    /// Waits for the next job, until `until` at most; the error is when a write is due that is not
    /// yet.
    pub(super) fn next(
        &self,
        until: Instant,
        writes: Writes,
    ) -> Result<(Job, Generation), Option<Instant>> {
        let mut backlog = self.lock();
        loop {
            let now = self.now();
            if let Some(job) = backlog.next(now, writes) {
                return Ok(job);
            }
            let due = backlog.next_due(writes);
            if now >= until {
                return Err(due);
            }
            let due = due.map_or(until, |due| due.min(until));
            backlog = self.wait(backlog, due.saturating_duration_since(now));
        }
    }

    /// Waits until the breaker's pause is over; fetches and requests fail meanwhile.
    pub(super) fn pause(&self, until: Instant) -> PauseEnd {
        let mut backlog = self.lock();
        loop {
            backlog.cancel_fetches_and_requests();
            let left = until.saturating_duration_since(self.now());
            if backlog.is_stopped() {
                return PauseEnd::Stopped;
            }
            if left.is_zero() {
                return PauseEnd::Elapsed;
            }
            backlog = self.wait(backlog, left);
        }
    }

    /// Publishes the state of the worker's breaker.
    pub(super) fn set_breaker_open(&self, open: bool) {
        self.counters.breaker_open.store(open, Ordering::Relaxed);
    }

    /// Whether the current call to the tier takes longer than `usual`, and 4 times as long as any that
    /// succeeded.
    pub(super) fn is_hung(&self, usual: Duration) -> bool {
        let longest = Duration::from_micros(self.longest_call.load(Ordering::Relaxed));
        self.takes_longer_than(usual.max(longest * 4))
    }

    /// Runs a call to the tier, and records when it began, and how long it took if it succeeded.
    pub(super) fn track_call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let began = self.mark_call();
        let result = call();
        self.mark_end_of_call();
        if result.is_ok() {
            let took = self.micros().saturating_sub(began);
            self.longest_call.fetch_max(took, Ordering::Relaxed);
        }
        result
    }

    /// Records that a call to the tier begins, and returns when.
    pub(super) fn mark_call(&self) -> u64 {
        let began = self.micros().max(1);
        self.call_began.store(began, Ordering::Relaxed);
        began
    }

    /// Records that no call to the tier is in progress.
    pub(super) fn mark_end_of_call(&self) {
        self.call_began.store(0, Ordering::Relaxed);
    }

    /// Marks the worker as ended, and fails all fetches and requests.
    pub(super) fn end(&self) {
        self.worker_ended.store(true, Ordering::Release);
        self.counters.stopped.store(true, Ordering::Relaxed);
        self.lock().cancel_fetches_and_requests();
    }

    /// Changes the backlog from the worker, which needs no wake-up.
    pub(super) fn change(&self, change: impl FnOnce(&mut Backlog)) {
        change(&mut self.lock());
    }

    /// Adds a job that a connection caused, and wakes the worker.
    fn add(&self, add: impl FnOnce(&mut Backlog) -> Result<(), Full>) {
        if !self.has_worker() {
            return;
        }
        if add(&mut self.lock()).is_err() {
            count(&self.counters.dropped, 1);
        }
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'b>(
        &self,
        backlog: MutexGuard<'b, Backlog>,
        timeout: Duration,
    ) -> MutexGuard<'b, Backlog> {
        let waited = self.changed.wait_timeout(backlog, timeout);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl StoreObserver for Queue {
    fn stored(&self, key: KeyRef<'_>, usage: Usage) {
        let sessions_in_memory = self.settings.sessions_in_memory;
        self.add(|backlog| backlog.stored(key.to_key(), usage, sessions_in_memory));
    }

    fn missed(&self, key: KeyRef<'_>) {
        if !self.counters.breaker_open.load(Ordering::Relaxed) {
            self.add(|backlog| backlog.missed(&key.to_key(), self.now()));
        }
    }

    fn standing(&self, key: KeyRef<'_>, standing: Standing) {
        self.add(|backlog| backlog.tell(key.to_key(), standing));
    }

    fn revoked(&self, key: KeyRef<'_>, generation: Generation) {
        self.add(|backlog| {
            backlog.revoke(Revoked::Server(key.to_key()), generation);
            Ok(())
        });
    }

    fn domain_cleared(&self, domain: &SecurityDomain, generation: Generation) {
        self.add(|backlog| {
            backlog.revoke(Revoked::Domain(*domain), generation);
            Ok(())
        });
    }

    fn cleared(&self, generation: Generation) {
        self.add(|backlog| {
            backlog.revoke(Revoked::All, generation);
            Ok(())
        });
    }
}
