//! The thread that moves sessions between memory and a tier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store_core::{
    Clock, Encoded, Entry, Generation, KeyRef, Portable, SecurityDomain, SessionKey, SessionStore,
    Timestamp, Usage,
};

use super::breaker::Breaker;
use super::queue::{Queue, Rest};
use super::revocations::Revocations;
use super::stats::count;
use super::waiting::{Fetching, Job, Request, ToWrite};
use crate::ring::expiry;
use crate::{KeyRing, Record, Rejected, Sealed, ServerId, Taken, Tier, TierError};

/// How often expired records are looked for when there is nothing else to do.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often a server is asked again whose records turn out to be worth nothing.
const TRIES: usize = 8;
/// How far the clocks of machines that share sessions may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// Servers that memory is emptied of in one go.
const FLUSH_BATCH: usize = 32;

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

/// A session on its way to the tier.
struct Leaving<S> {
    key: SessionKey,
    entry: Entry<S>,
    sealed: Sealed,
}

/// The tier failed, and is left alone for a while.
struct Failed;

/// What became of a record that came.
enum Restored {
    /// It is a session in memory.
    Here,
    /// Memory refuses it; it is given up.
    NoRoom,
    Rejected,
    /// It is sealed with a key that others have; when it expires.
    Others(Timestamp),
}

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
        let tier = self.tier.as_mut();
        let probe = self.queue.while_called(|| tier.take(&nobody, 1, now));
        if probe.is_ok() {
            // What failed was perhaps something else, which may fail again.
            self.breaker.close();
            self.queue.set_resting(false);
        } else {
            count(&self.queue.counters.failures, 1);
            self.breaker.failed(Instant::now());
        }
    }

    /// Calls the tier, and notes how that went: one that fails is left alone.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Tier) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        let tier = self.tier.as_mut();
        let result = self.queue.while_called(|| call(tier));
        if result.is_ok() {
            self.breaker.succeeded();
        } else {
            count(&self.queue.counters.failures, 1);
            self.queue.set_resting(true);
            self.breaker.failed(Instant::now());
        }
        result
    }

    /// The same for a put. A tier that takes nothing, because it is full perhaps, may still give:
    /// then only what is to be written waits.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let tier = self.tier.as_mut();
        let result = self.queue.while_called(|| tier.put(records, now));
        if result.is_ok() {
            self.writes.succeeded();
        } else {
            count(&self.queue.counters.failures, 1);
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

    /// Brings sessions of a server into memory, and says whether one came.
    fn fetch(&mut self, wanted: &Fetching, as_of: Generation) -> Result<bool, Failed> {
        let (key, id) = (&wanted.key, self.ring.server_id(wanted.key.as_key()));
        let (mut came, mut others) = (0, Vec::new());
        let mut answered = Ok(());
        for _ in 0..TRIES {
            let (most, now) = (wanted.wanted - came, self.clock.now());
            let Ok(taken) = self.call(|tier| tier.take(&id, most, now)) else {
                answered = Err(Failed);
                break;
            };
            let Taken {
                single_use,
                reusable,
            } = taken;
            let all_there_was = single_use.len() < most;
            let mut no_room = false;
            for sealed in single_use {
                match self.restore(key, &id, &sealed, as_of, now) {
                    Restored::Here => came += 1,
                    Restored::NoRoom => no_room = true,
                    Restored::Rejected => {}
                    Restored::Others(expires) => others.push(Sealed {
                        server: id,
                        usage: Usage::SingleUse,
                        expires,
                        bytes: sealed,
                    }),
                }
            }
            // Once memory has one of its own, it is the newer one.
            let asked = reusable.filter(|_| !self.memory.ready(key, now).reusable);
            let restore = |sealed: Vec<u8>| self.restore(key, &id, &sealed, as_of, now);
            if matches!(asked.map(restore), Some(Restored::Here)) {
                came = came.max(1);
                break;
            }
            if all_there_was || no_room || came >= wanted.wanted {
                break;
            }
        }
        if came == 0 && answered.is_ok() {
            count(&self.queue.counters.missed, 1);
        } else {
            // For connections that do not come after all.
            self.share_later(key);
        }
        // Whatever the tier says now: what is not ours is not lost with it.
        let back = self.put_back(&others);
        answered.and(back).map(|()| came > 0)
    }

    /// Puts a record into memory as a session.
    fn restore(
        &self,
        key: &SessionKey,
        id: &ServerId,
        sealed: &[u8],
        as_of: Generation,
        now: Timestamp,
    ) -> Restored {
        let opened = self.ring.open(sealed, id, now);
        let entry = opened.and_then(|record| self.entry_of(record, key, id, now));
        match entry {
            Ok(entry) => {
                let restored = self.memory.restore(key, entry, as_of, now).is_ok();
                let counters = &self.queue.counters;
                count(
                    if restored {
                        &counters.fetched
                    } else {
                        &counters.lost
                    },
                    1,
                );
                if restored {
                    Restored::Here
                } else {
                    Restored::NoRoom
                }
            }
            Err(why) => {
                self.queue.counters.reject(why);
                match expiry(sealed) {
                    // Others have the key: it is theirs, and unused.
                    Some(expires) if why == Rejected::UnknownKey => Restored::Others(expires),
                    _ => Restored::Rejected,
                }
            }
        }
    }

    /// The session of a record, if it is one of this backend for this server that may be used.
    fn entry_of(
        &self,
        record: Record,
        key: &SessionKey,
        id: &ServerId,
        now: Timestamp,
    ) -> Result<Entry<S>, Rejected> {
        if record.format != S::FORMAT || record.key != *key {
            return Err(Rejected::Foreign);
        }
        // From a clock that is ahead, or revoked here and brought back by another process.
        let ahead = record.established > now.after(CLOCKS_DIFFER);
        if ahead || self.revoked.covers(id, record.established) {
            return Err(Rejected::Expired);
        }
        let encoded = Encoded {
            facts: record.facts,
            session: record.session,
        };
        let (session, weight) = S::decode(&encoded, record.usage).ok_or(Rejected::Foreign)?;
        Ok(Entry {
            session,
            usage: record.usage,
            established: record.established,
            expires: record.expires,
            weight,
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

    /// Writes what waits to be written of these servers.
    fn write(
        &mut self,
        batch: Vec<(SessionKey, ToWrite)>,
        as_of: Generation,
    ) -> Result<(), Failed> {
        let now = self.clock.now();
        let mut leaving = Vec::new();
        for (key, what) in &batch {
            self.collect(key, *what, as_of, now, &mut leaving);
        }
        let written = self.send(leaving, as_of, now);
        for (key, what) in batch {
            if written.is_err() {
                // When too much waits, it is in memory still.
                self.queue.change(|waiting| drop(waiting.write(key, what)));
            } else if what.all_but.is_some_and(|kept| kept > 0) {
                self.share_later(&key);
            }
        }
        written
    }

    /// Takes out of memory what is to be written of a server.
    fn collect(
        &self,
        key: &SessionKey,
        what: ToWrite,
        as_of: Generation,
        now: Timestamp,
        leaving: &mut Vec<Leaving<S>>,
    ) {
        let single_use = what.all_but.map(|kept| self.memory.surplus(key, kept, now));
        let reusable = what.reusable.then(|| self.memory.reusable_copy(key, now));
        let entries = single_use.into_iter().flatten().chain(reusable.flatten());
        for entry in entries {
            match self.seal(key.as_key(), &entry) {
                Some(sealed) => leaving.push(Leaving {
                    key: key.clone(),
                    entry,
                    sealed,
                }),
                None => self.keep(key, entry, as_of, now),
            }
        }
    }

    /// Gives sessions to the tier. Those that it certainly does not have stay in memory; those of
    /// which that is not known are given up.
    fn send(
        &mut self,
        leaving: Vec<Leaving<S>>,
        as_of: Generation,
        now: Timestamp,
    ) -> Result<(), Failed> {
        if leaving.is_empty() {
            return Ok(());
        }
        let (entries, records): (Vec<_>, Vec<_>) = leaving
            .into_iter()
            .map(|leaving| ((leaving.key, leaving.entry), leaving.sealed))
            .unzip();
        match self.put(&records, now) {
            Ok(()) => {
                count(&self.queue.counters.written, records.len());
                return Ok(());
            }
            Err(TierError::NotDone(_)) => {
                for (key, entry) in entries {
                    self.keep(&key, entry, as_of, now);
                }
            }
            Err(TierError::Unknown(_)) => {
                let single_use = entries
                    .iter()
                    .filter(|(_, entry)| entry.usage == Usage::SingleUse);
                count(&self.queue.counters.lost, single_use.count());
            }
        }
        Err(Failed)
    }

    /// Puts a single-use session back; a reusable one has never left.
    fn keep(&self, key: &SessionKey, entry: Entry<S>, as_of: Generation, now: Timestamp) {
        if entry.usage == Usage::SingleUse {
            // Refused means cleared meanwhile, or no room: a miss.
            let _ = self.memory.restore(key, entry, as_of, now);
        }
    }

    /// Writes all that memory holds.
    fn flush(&mut self, as_of: Generation) -> Result<(), Failed> {
        let now = self.clock.now();
        let all = ToWrite {
            all_but: Some(0),
            reusable: true,
        };
        let servers: Vec<SessionKey> = self.memory.servers().collect();
        for batch in servers.chunks(FLUSH_BATCH) {
            let mut leaving = Vec::new();
            for key in batch {
                self.collect(key, all, as_of, now, &mut leaving);
            }
            self.send(leaving, as_of, now)?;
        }
        Ok(())
    }

    /// Loads records of a domain. The others go back, as far as they were taken: a reusable one has
    /// never left.
    fn load(
        &mut self,
        domain: &SecurityDomain,
        most: usize,
        as_of: Generation,
    ) -> Result<(), Failed> {
        let now = self.clock.now();
        let loaded = self.call(|tier| tier.load(most, now)).map_err(|_| Failed)?;
        let mut others = Vec::new();
        for sealed in loaded {
            let theirs = match self.ring.open(&sealed.bytes, &sealed.server, now) {
                Ok(Record { key, format, .. })
                    if format == S::FORMAT && key.as_key().domain() == domain =>
                {
                    self.restore(&key, &sealed.server, &sealed.bytes, as_of, now);
                    false
                }
                Ok(_) | Err(Rejected::UnknownKey) => true,
                Err(why) => {
                    self.queue.counters.reject(why);
                    false
                }
            };
            if theirs && sealed.usage == Usage::SingleUse {
                others.push(sealed);
            }
        }
        self.put_back(&others)
    }

    fn seal(&self, key: KeyRef<'_>, entry: &Entry<S>) -> Option<Sealed> {
        let Encoded { facts, session } = entry.session.encode()?;
        let record = Record {
            key: key.to_key(),
            format: S::FORMAT,
            usage: entry.usage,
            established: entry.established,
            expires: entry.expires,
            facts,
            session,
        };
        let server = self.ring.server_id(key);
        Some(Sealed {
            bytes: self.ring.seal(&record, &server).ok()?,
            server,
            usage: entry.usage,
            expires: entry.expires,
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
