//! The way from connections to the worker: what waits, behind a short lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use store_core::{Generation, KeyRef, SecurityDomain, SessionKey, StoreObserver, Usage};

use super::SharedSettings;
use super::arrival::Arrival;
use super::stats::{Counters, count};
use super::waiting::{Full, Job, Request, Waiting};

/// What waits for the worker. Connections never wait for its lock longer than for one job to be
/// noted; the worker holds it only to look what is next.
pub(super) struct Queue {
    settings: SharedSettings,
    /// The process that has the worker: a forked child has none.
    process: u32,
    began: Instant,
    waiting: Mutex<Waiting>,
    work: Condvar,
    /// When the tier was called that has not answered yet, in microseconds since `began`; 0 while
    /// it is not called.
    called: AtomicU64,
    ended: AtomicBool,
    pub(super) counters: Counters,
}

/// Why the worker need not do anything.
pub(super) enum Rest {
    Over,
    Stop,
}

impl Queue {
    pub(super) fn new(settings: SharedSettings) -> Self {
        Self {
            process: std::process::id(),
            began: Instant::now(),
            waiting: Mutex::new(Waiting::new(settings.queue_capacity)),
            work: Condvar::new(),
            called: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            counters: Counters::default(),
            settings,
        }
    }

    /// The store exists, and this is its generation.
    pub(super) fn begin(&self, now_is: Generation) {
        self.lock().begin(now_is);
    }

    /// Whether there is a worker in this process.
    pub(super) fn is_alive(&self) -> bool {
        self.process == std::process::id() && !self.ended.load(Ordering::Acquire)
    }

    /// Whether the tier has been at one call for too long to be waited for.
    pub(super) fn is_stalled(&self) -> bool {
        let called = self.called.load(Ordering::Relaxed);
        called != 0 && self.micros().saturating_sub(called) > self.patience()
    }

    fn patience(&self) -> u64 {
        u64::try_from(self.settings.stall_timeout.as_micros()).unwrap_or(u64::MAX)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A connection is about to look for a session of `key`: has one fetched unless memory has
    /// `ready` of them. Nothing if there is nothing to wait for.
    pub(super) fn expect(&self, key: &SessionKey, ready: usize) -> Option<Arc<Arrival>> {
        let mut waiting = self.lock();
        let expecting = waiting.expect(key);
        let resting = self.counters.resting.load(Ordering::Relaxed);
        if ready >= expecting || resting || waiting.is_known_in_vain(key, Instant::now()) {
            return None;
        }
        let fetch = waiting.fetch(key, expecting - ready);
        drop(waiting);
        self.work.notify_one();
        if fetch.is_err() {
            count(&self.counters.dropped, 1);
        }
        fetch.ok().filter(|_| !self.is_stalled())
    }

    pub(super) fn expect_no_more(&self, key: &SessionKey) {
        // In a forked child, the lock may be held for ever.
        if self.is_alive() {
            self.lock().expect_no_more(key);
        }
    }

    /// Has memory written to the tier.
    pub(super) fn flush(&self, then_stop: bool) -> Arc<Arrival> {
        let arrival = Arc::<Arrival>::default();
        let mut waiting = self.lock();
        waiting.request(Request::Flush(Arc::clone(&arrival)));
        if then_stop {
            waiting.stop();
        }
        drop(waiting);
        self.work.notify_one();
        arrival
    }

    /// Has records loaded.
    pub(super) fn load(&self, domain: SecurityDomain, most: usize) -> Arc<Arrival> {
        let arrival = Arc::<Arrival>::default();
        let request = Request::Load(domain, most, Arc::clone(&arrival));
        self.lock().request(request);
        self.work.notify_one();
        arrival
    }

    /// The next job, writes only if it `may_write`, or nothing if none comes before `until`.
    pub(super) fn next(&self, until: Instant, may_write: bool) -> Option<(Job, Generation)> {
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            if let Some(job) = waiting.next(now, may_write) {
                return Some(job);
            }
            if now >= until {
                return None;
            }
            let due = waiting.next_due().filter(|_| may_write);
            let due = due.map_or(until, |due| due.min(until));
            waiting = self.wait(waiting, due.saturating_duration_since(now));
        }
    }

    /// Leaves the tier alone until then; whoever waits for it is told that nothing comes.
    pub(super) fn rest(&self, until: Instant) -> Rest {
        let mut waiting = self.lock();
        loop {
            waiting.give_up();
            let left = until.saturating_duration_since(Instant::now());
            if waiting.is_stopped() {
                return Rest::Stop;
            }
            if left.is_zero() {
                return Rest::Over;
            }
            waiting = self.wait(waiting, left);
        }
    }

    /// The tier has failed and is to be left alone, or works again.
    pub(super) fn set_resting(&self, resting: bool) {
        self.counters.resting.store(resting, Ordering::Relaxed);
    }

    /// Notes that the tier is called for as long as `call` takes.
    pub(super) fn while_called<T>(&self, call: impl FnOnce() -> T) -> T {
        self.called.store(self.micros().max(1), Ordering::Relaxed);
        let result = call();
        self.called.store(0, Ordering::Relaxed);
        result
    }

    /// The worker is gone, and nobody waits for it any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.counters.stopped.store(true, Ordering::Relaxed);
        self.lock().give_up();
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
    }

    /// Notes something that a connection told, without waiting for anything to come of it.
    fn note(&self, note: impl FnOnce(&mut Waiting) -> Result<(), Full>) {
        if !self.is_alive() {
            return;
        }
        if note(&mut self.lock()).is_err() {
            count(&self.counters.dropped, 1);
        }
        self.work.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'w>(
        &self,
        waiting: MutexGuard<'w, Waiting>,
        most: Duration,
    ) -> MutexGuard<'w, Waiting> {
        let waited = self.work.wait_timeout(waiting, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl StoreObserver for Queue {
    fn stored(&self, key: KeyRef<'_>, usage: Usage) {
        self.note(|waiting| waiting.stored(key.to_key(), usage, self.settings.sessions_in_memory));
    }

    fn missed(&self, key: KeyRef<'_>) {
        if !self.counters.resting.load(Ordering::Relaxed) {
            self.note(|waiting| waiting.missed(&key.to_key(), Instant::now()));
        }
    }

    fn revoked(&self, key: KeyRef<'_>, now_is: Generation) {
        self.note(|waiting| {
            waiting.revoke(key.to_key(), now_is);
            Ok(())
        });
    }

    fn cleared(&self, now_is: Generation) {
        self.note(|waiting| {
            waiting.clear(now_is);
            Ok(())
        });
    }
}
