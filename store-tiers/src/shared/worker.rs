//! The thread that moves sessions between memory and the tier.

mod cleared_domains;
mod fetching;
mod notices;
mod standings;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use store_core::{Clock, Generation, Portable, SessionKey, SessionStore, Timestamp};

use self::cleared_domains::ClearedDomains;
use super::backlog::{Job, Request, Writes};
use super::breaker::Breaker;
use super::queue::{PauseEnd, Queue};
use super::revocations::{Revocations, Revoked};
use super::stats::count;
use crate::{KeyRing, Sealed, ServerId, Tier, TierError};

/// How often an idle worker sweeps the tier.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// After a revocation failed twice, it waits for so long, and lets other calls go first. This process uses
/// no revoked session meanwhile.
const REVOKE_AGAIN: Duration = Duration::from_secs(10);

/// How long idle sessions stay in memory after a slow job, unless a quick one follows.
const SLOW_PAUSE: Duration = Duration::from_secs(10);

/// What the worker does next.
pub(super) enum Task {
    /// Calls the tier after a pause, to see whether it works again.
    Probe,
    /// A job, and the generation as of which its sessions may be restored.
    Job(Job, Generation),
    /// Sweeps the tier.
    Sweep,
    Stop,
}

/// The state of the worker thread.
pub(super) struct Worker<S> {
    pub(super) memory: Arc<SessionStore<S>>,
    pub(super) queue: Arc<Queue>,
    pub(super) ring: KeyRing,
    pub(super) tier: Box<dyn Tier>,
    pub(super) clock: Arc<dyn Clock>,
    /// See [`SharedSettings::idle_timeout`](crate::SharedSettings::idle_timeout).
    pub(super) idle_timeout: Duration,
    /// Open after any other call than a put failed: pauses all calls.
    pub(super) breaker: Breaker,
    /// Open after a put failed: pauses writes only.
    pub(super) write_breaker: Breaker,
    pub(super) revocations: Revocations,
    pub(super) cleared_domains: ClearedDomains,
    /// Until when no idle session is written, since the last job took longer than the stall timeout:
    /// connections do not wait so long, so a session that leaves memory would not be back in time.
    pub(super) slow_until: Option<Instant>,
    /// Calls to the tier so far.
    pub(super) calls: u64,
    /// Whether the last revocation failed.
    pub(super) revocation_failed: bool,
    /// When to sweep the tier next.
    pub(super) sweep_at: Instant,
}

/// A call to the tier failed, which has opened a breaker.
struct Failed;

impl<S: Portable> Worker<S> {
    /// A worker that was not started yet.
    pub(super) fn new(
        memory: &Arc<SessionStore<S>>,
        queue: &Arc<Queue>,
        ring: KeyRing,
        tier: Box<dyn Tier>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            memory: Arc::clone(memory),
            queue: Arc::clone(queue),
            ring,
            tier,
            clock: Arc::clone(clock),
            idle_timeout: queue.idle_timeout(),
            breaker: Breaker::default(),
            write_breaker: Breaker::default(),
            revocations: Revocations::new(),
            cleared_domains: ClearedDomains::new(),
            slow_until: None,
            calls: 0,
            revocation_failed: false,
            sweep_at: queue.now() + SWEEP_INTERVAL,
        }
    }

    /// Runs until the queue is stopped.
    pub(super) fn run(mut self) {
        loop {
            match self.next(None) {
                Ok(Task::Stop) => return,
                Ok(task) => self.perform(task, self.queue.now()),
                Err(_) => {} // the state of a breaker has changed
            }
        }
    }

    /// Waits for the next task, until `latest` at most; the error is when to ask again, unless
    /// something is queued before.
    pub(super) fn next(&mut self, latest: Option<Instant>) -> Result<Task, Instant> {
        let wait_until = |until: Instant| latest.map_or(until, |latest| latest.min(until));
        if let Some(until) = self.breaker.open_until() {
            return match self.queue.pause(wait_until(until)) {
                PauseEnd::Stopped => Ok(Task::Stop),
                PauseEnd::Elapsed if self.queue.now() < until => Err(until),
                PauseEnd::Elapsed => Ok(Task::Probe),
            };
        }
        let now = self.queue.now();
        let (writes, changes_at) = if let Some(until) = self.write_breaker.still_open(now) {
            (Writes::None, until)
        } else if let Some(until) = self.slow_until.filter(|until| *until > now) {
            (Writes::NotIdle, until)
        } else {
            (Writes::All, self.sweep_at)
        };
        let until = changes_at.min(self.sweep_at);
        match self.queue.next(wait_until(until), writes) {
            Ok((Job::Stop, _)) => Ok(Task::Stop),
            Ok((job, as_of)) => Ok(Task::Job(job, as_of)),
            Err(_) if self.queue.now() >= self.sweep_at => Ok(Task::Sweep),
            Err(due) => Err(due.map_or(until, |due| due.min(until))),
        }
    }

    /// Does a task that began at `began`. A failed one has restored or queued again what it could.
    pub(super) fn perform(&mut self, task: Task, began: Instant) {
        match task {
            Task::Probe => self.probe(),
            Task::Job(job, as_of) => {
                let calls = self.calls;
                let _failed = self.run_job(job, as_of);
                if self.calls != calls {
                    let now = self.queue.now();
                    let is_slow = now.saturating_duration_since(began) > self.queue.stall_timeout();
                    self.slow_until = is_slow.then(|| now + SLOW_PAUSE);
                }
            }
            Task::Sweep => {
                let now = self.clock.now();
                let swept = self.call(|tier| tier.sweep(now));
                let more = matches!(swept, Ok(true));
                let pause = if more { Duration::ZERO } else { SWEEP_INTERVAL };
                self.sweep_at = self.queue.now() + pause;
            }
            Task::Stop => {}
        }
    }

    fn run_job(&mut self, job: Job, as_of: Generation) -> Result<(), Failed> {
        match job {
            Job::Revoke(revoked) => self.revoke(revoked, as_of),
            Job::Fetch(job) => {
                let fetched = self.fetch(&job, as_of);
                let (is_empty, now) = (matches!(fetched, Ok(false)), self.queue.now());
                self.queue.change(|backlog| backlog.fetched(is_empty, now));
                job.completion.complete(matches!(fetched, Ok(true)));
                fetched.map(drop)
            }
            Job::Request(request) => {
                let (done, completion) = match &request {
                    Request::Flush(completion) => (self.flush(as_of), completion),
                    Request::Load(domain, most, completion) => {
                        (self.load(domain, *most, as_of), completion)
                    }
                };
                completion.complete(done.is_ok());
                done
            }
            Job::Tell(key, standing) => self.write_standing(&key, standing),
            Job::Write(batch) => self.write(batch, as_of),
            Job::Stop => Ok(()),
        }
    }

    /// Calls the tier after a pause, for a server that does not exist.
    fn probe(&mut self) {
        let (nobody, now) = (ServerId::nobody(), self.clock.now());
        if self.count_call(|tier| tier.take(&nobody, 1, now)).is_ok() {
            // Keeps the failure count: another kind of call may have failed, and may fail again.
            self.breaker.close();
            self.queue.set_breaker_open(false);
        } else {
            self.breaker.failed(self.queue.now());
        }
    }

    /// Calls the tier, and counts a failure.
    fn count_call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Tier) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        self.calls += 1;
        let tier = self.tier.as_mut();
        let result = self.queue.track_call(|| call(tier));
        count(&self.queue.counters.failures, usize::from(result.is_err()));
        result
    }

    /// Calls the tier; a failure opens the breaker.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Tier) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        let result = self.count_call(call);
        if result.is_ok() {
            self.breaker.succeeded();
        } else {
            self.queue.set_breaker_open(true);
            self.breaker.failed(self.queue.now());
        }
        result
    }

    /// Puts records; a failure opens the breaker for writes only, since a tier that stores nothing,
    /// such as a full one, may still return records.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let result = self.count_call(|tier| tier.put(records, now));
        if result.is_ok() {
            self.write_breaker.succeeded();
        } else {
            self.write_breaker.failed(self.queue.now());
        }
        result
    }

    /// Revokes sessions in the tier. After a failure, the revocation is queued again, before any
    /// fetch.
    fn revoke(&mut self, revoked: Revoked, as_of: Generation) -> Result<(), Failed> {
        let now = self.clock.now();
        let done = match &revoked {
            Revoked::All => {
                self.revocations.insert(None, now);
                self.call(Tier::clear)
            }
            Revoked::Domain(domain) => self.clear_domain(domain, now),
            Revoked::Server(key) => {
                let id = self.ring.server_id(key.as_key());
                self.revocations.insert(Some(id), now);
                self.call(|tier| tier.remove(&id))
            }
        };
        let fails_again = std::mem::replace(&mut self.revocation_failed, done.is_err());
        done.map_err(|_| {
            // The tier answers other calls: they must not wait for this one for ever.
            let due = fails_again.then(|| self.queue.now() + REVOKE_AGAIN);
            self.queue
                .change(|backlog| backlog.revoke_again(revoked, as_of, due));
            Failed
        })
    }

    /// Puts single-use records back that were taken but only other processes can use.
    fn put_back(&mut self, records: &[Sealed]) -> Result<(), Failed> {
        if records.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.put(records, now).map_err(|_| {
            count(&self.queue.counters.lost, records.len());
            Failed
        })
    }

    /// Schedules a write of the sessions that memory still holds after the idle timeout.
    fn write_when_idle(&self, key: &SessionKey) {
        if let Some(due) = self.queue.now().checked_add(self.idle_timeout) {
            let key = key.clone();
            self.queue.change(|backlog| backlog.write_idle_at(due, key));
        }
    }
}

impl<S> Drop for Worker<S> {
    /// Wakes all waiters, also after a panic.
    fn drop(&mut self) {
        self.queue.end();
    }
}
