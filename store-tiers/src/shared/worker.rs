//! The thread that moves sessions between memory and a tier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store_core::{
    Clock, Encoded, Entry, Generation, KeyRef, Portable, SecurityDomain, SessionKey, SessionStore,
    Timestamp, Usage,
};

use super::breaker::Breaker;
use super::queue::{Queue, Rest};
use super::stats::count;
use super::waiting::{Fetching, Job, Request, ToWrite};
use crate::{KeyRing, Record, Rejected, Sealed, ServerId, Taken, Tier, TierError};

/// How often expired records are looked for when there is nothing else to do.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often a server is asked again whose records turn out to be worth nothing.
const TRIES: usize = 8;
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
    pub(super) breaker: Breaker,
}

/// A session on its way to the tier.
struct Leaving<S> {
    key: SessionKey,
    entry: Entry<S>,
    sealed: Sealed,
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
            // A failure opens the breaker; the job itself has seen to what it had in hand.
            let _failed = match self.queue.next(sweep_at) {
                Some((Job::Stop, _)) => return,
                Some((job, as_of)) => self.work(job, as_of),
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
                fetching.arrival.tell(matches!(fetched, Ok(true)));
                fetched.map(drop)
            }
            Job::Request(Request::Flush(arrival)) => {
                let flushed = self.flush(as_of);
                arrival.tell(flushed.is_ok());
                flushed
            }
            Job::Request(Request::Load(domain, most, arrival)) => {
                let loaded = self.load(&domain, most, as_of);
                arrival.tell(loaded.is_ok());
                loaded
            }
            Job::Write(batch) => self.write(batch, as_of),
            Job::Stop => Ok(()),
        }
    }

    /// Whether the tier works again: asks it for the records of nobody.
    fn try_again(&mut self) {
        let (nobody, now) = (ServerId::nobody(), self.clock.now());
        if self.call(|tier| tier.take(&nobody, 1, now)).is_ok() {
            self.queue.set_resting(false);
        }
    }

    /// Calls the tier, and notes how that went.
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

    /// Removes the records of a server, or all. What cannot be done now is done later: nothing is
    /// fetched before.
    fn revoke(&mut self, key: Option<SessionKey>, as_of: Generation) -> Result<(), Failed> {
        let id = key.as_ref().map(|key| self.ring.server_id(key.as_key()));
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
        let id = self.ring.server_id(wanted.key.as_key());
        let mut came = 0;
        for _ in 0..TRIES {
            let (most, now) = (wanted.wanted - came, self.clock.now());
            let taken = self.call(|tier| tier.take(&id, most, now));
            let Taken {
                single_use,
                reusable,
            } = taken.map_err(|_| Failed)?;
            let all_there_was = single_use.len() < most;
            let restore = |sealed: &Vec<u8>| self.restore(&wanted.key, &id, sealed, as_of, now);
            came += single_use.iter().filter(|sealed| restore(sealed)).count();
            // Once memory has one of its own, it is the newer one.
            let asked = reusable.filter(|_| !self.memory.ready(&wanted.key, now).reusable);
            if asked.is_some_and(|sealed| restore(&sealed)) {
                came = came.max(1);
                break;
            }
            if all_there_was || came >= wanted.wanted {
                break;
            }
        }
        if came == 0 {
            count(&self.queue.counters.missed, 1);
            let key = wanted.key.clone();
            let now = Instant::now();
            self.queue.change(|waiting| waiting.nothing_there(key, now));
        } else {
            // For connections that do not come after all.
            self.share_later(&wanted.key);
        }
        Ok(came > 0)
    }

    /// Puts a record into memory as a session, and says whether that is what became of it.
    fn restore(
        &self,
        key: &SessionKey,
        id: &ServerId,
        sealed: &[u8],
        as_of: Generation,
        now: Timestamp,
    ) -> bool {
        let entry = self
            .ring
            .open(sealed, id, now)
            .and_then(|record| entry_of(record, key));
        match entry {
            Ok(entry) => {
                let restored = self.memory.restore(key, entry, as_of, now).is_ok();
                count(&self.queue.counters.fetched, usize::from(restored));
                restored
            }
            Err(why) => {
                self.queue.counters.reject(why);
                false
            }
        }
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
            match (&written, what.reusable) {
                (Err(Failed), true) => {
                    let again = ToWrite {
                        all_but: None,
                        reusable: true,
                    };
                    // When too much waits, it is in memory still.
                    self.queue.change(|waiting| drop(waiting.write(key, again)));
                }
                _ if what.all_but.is_some_and(|kept| kept > 0) => self.share_later(&key),
                _ => {}
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
        match self.call(|tier| tier.put(&records, now)) {
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

    /// Loads records of a domain; the others go back.
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
            match self.ring.open(&sealed.bytes, &sealed.server, now) {
                Ok(record)
                    if record.format != S::FORMAT || record.key.as_key().domain() != domain =>
                {
                    others.push(sealed);
                }
                Ok(record) => {
                    let key = record.key;
                    self.restore(&key, &sealed.server, &sealed.bytes, as_of, now);
                }
                Err(why) => self.queue.counters.reject(why),
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        let back = self.call(|tier| tier.put(&others, now));
        back.map_err(|_| Failed)
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

/// The session of a record, if it is one of this backend for this server.
fn entry_of<S: Portable>(record: Record, key: &SessionKey) -> Result<Entry<S>, Rejected> {
    if record.format != S::FORMAT || record.key != *key {
        return Err(Rejected::Foreign);
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

impl<S> Drop for Worker<S> {
    /// However it ends, nobody waits for it.
    fn drop(&mut self) {
        self.queue.end();
    }
}
