//! The thread that moves sessions between memory and a tier.

mod fetching;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use store_core::{Clock, Generation, Portable, SessionKey, SessionStore, Timestamp};

use super::breaker::Breaker;
use super::queue::{Queue, Rest};
use super::revocations::Revocations;
use super::stats::count;
use super::waiting::{Job, Request};
use crate::{KeyRing, Sealed, ServerId, Tier, TierError};

/// How often expired records are looked for when there is nothing else to do.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What the thread has.
pub(super) struct Worker<S> {
    pub(super) memory: Arc<SessionStore<S>>,
    pub(super) queue: Arc<Queue>,
    pub(super) ring: KeyRing,
    pub(super) tier: Box<dyn Tier>,
    pub(super) clock: Arc<dyn Clock>,
    /// How long what memory holds may lie idle before it is shared.
    pub(super) idle: Duration,
    /// When to leave the tier alone altogether, and when only not to write.
    pub(super) breaker: Breaker,
    pub(super) writes: Breaker,
    pub(super) revoked: Revocations,
}

/// The tier failed, and is left alone for a while.
struct Failed;

impl<S: Portable> Worker<S> {
    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let mut sweep_at = Instant::now() + SWEEP_EVERY;
        loop {
            if let Some(until) = self.breaker.open_until() {
                match self.queue.rest(until) {
                    Rest::Stop => return,
                    Rest::Over => self.try_again(),
                }
                continue;
            }
            let write_at = self.writes.still_open(Instant::now());
            let until = write_at.map_or(sweep_at, |write_at| write_at.min(sweep_at));
            // A failure opens a breaker; the job itself has seen to what it had in hand.
            let _failed = match self.queue.next(until, write_at.is_none()) {
                Some((Job::Stop, _)) => return,
                Some((job, as_of)) => self.work(job, as_of),
                None if Instant::now() < sweep_at => Ok(()),
                None => {
                    let now = self.clock.now();
                    let swept = self.call(|tier| tier.sweep(now));
                    let more = matches!(swept, Ok(true));
                    sweep_at = Instant::now() + if more { Duration::ZERO } else { SWEEP_EVERY };
                    swept.map(drop).map_err(|_| Failed)
                }
            };
        }
    }

    fn work(&mut self, job: Job, as_of: Generation) -> Result<(), Failed> {
        match job {
            Job::Clear => self.revoke(None, as_of),
            Job::Revoke(key) => self.revoke(Some(key), as_of),
            Job::Fetch(fetching) => {
                let fetched = self.fetch(&fetching, as_of);
                let (in_vain, now) = (matches!(fetched, Ok(false)), Instant::now());
                self.queue.change(|waiting| waiting.fetched(in_vain, now));
                fetching.arrival.tell(matches!(fetched, Ok(true)));
                fetched.map(drop)
            }
            Job::Request(request) => {
                let (done, arrival) = match &request {
                    Request::Flush(arrival) => (self.flush(as_of), arrival),
                    Request::Load(domain, most, arrival) => {
                        (self.load(domain, *most, as_of), arrival)
                    }
                };
                arrival.tell(done.is_ok());
                done
            }
            Job::Write(batch) => self.write(batch, as_of),
            Job::Stop => Ok(()),
        }
    }

    /// Whether the tier works again: asks it for the records of nobody.
    fn try_again(&mut self) {
        let (nobody, now) = (ServerId::nobody(), self.clock.now());
        if self.ask(|tier| tier.take(&nobody, 1, now)).is_ok() {
            // What failed was perhaps something else, which may fail again.
            self.breaker.close();
            self.queue.set_resting(false);
        } else {
            self.breaker.failed(Instant::now());
        }
    }

    /// Calls the tier, and counts it if that fails.
    fn ask<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Tier) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        let tier = self.tier.as_mut();
        let result = self.queue.while_called(|| call(tier));
        count(&self.queue.counters.failures, usize::from(result.is_err()));
        result
    }

    /// The same, and notes how that went: a tier that fails is left alone.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Tier) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        let result = self.ask(call);
        if result.is_ok() {
            self.breaker.succeeded();
        } else {
            self.queue.set_resting(true);
            self.breaker.failed(Instant::now());
        }
        result
    }

    /// The same for a put. A tier that takes nothing, because it is full perhaps, may still give:
    /// then only what is to be written waits.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let result = self.ask(|tier| tier.put(records, now));
        if result.is_ok() {
            self.writes.succeeded();
        } else {
            self.writes.failed(Instant::now());
        }
        result
    }

    /// Removes the records of a server, or all. What cannot be done now is done later: nothing is
    /// fetched before.
    fn revoke(&mut self, key: Option<SessionKey>, as_of: Generation) -> Result<(), Failed> {
        let id = key.as_ref().map(|key| self.ring.server_id(key.as_key()));
        self.revoked.note(id, self.clock.now());
        let revoked = self.call(|tier| match &id {
            Some(id) => tier.remove(id),
            None => tier.clear(),
        });
        revoked.map_err(|_| {
            self.queue.change(|waiting| match key {
                Some(key) => waiting.revoke(key, as_of),
                None => waiting.clear(as_of),
            });
            Failed
        })
    }

    /// Gives single-use records back that were taken and are for others.
    fn put_back(&mut self, others: &[Sealed]) -> Result<(), Failed> {
        if others.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.put(others, now).map_err(|_| {
            count(&self.queue.counters.lost, others.len());
            Failed
        })
    }

    fn share_later(&self, key: &SessionKey) {
        if let Some(due) = Instant::now().checked_add(self.idle) {
            let key = key.clone();
            self.queue.change(|waiting| waiting.share_at(due, key));
        }
    }
}

impl<S> Drop for Worker<S> {
    /// However it ends, nobody waits for it.
    fn drop(&mut self) {
        self.queue.end();
    }
}
