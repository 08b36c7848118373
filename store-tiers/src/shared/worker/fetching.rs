//! Fetching: from the tier into memory.

use std::time::Duration;

use store_core::tier::TierAccess;
use store_core::{
    Encoded, Entry, Generation, Portable, SecurityDomain, SessionKey, Timestamp, Usage,
};

use super::notices::STANDING;
use super::{Failed, Worker};
use crate::ring::expiry;
use crate::shared::backlog::FetchJob;
use crate::shared::stats::count;
use crate::{Record, Rejected, Sealed, ServerId, Taken};

/// Most takes per fetch. Another take follows if records were rejected.
const TRIES: usize = 8;
/// The largest accepted difference between the clocks of machines that share sessions, and the largest
/// of which nothing is said.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
const USUAL_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The result of restoring one record.
enum Restored {
    /// The session is in memory.
    Stored,
    /// Memory refused the session, which is lost.
    Refused,
    /// The record was rejected.
    Rejected,
    /// The record is sealed with a key that is not in the ring; other processes may have it.
    UnknownKey { expires: Timestamp },
}

impl<S: Portable> Worker<S> {
    /// Fetches sessions of a server into memory. Returns whether at least one was stored there.
    pub(super) fn fetch(&mut self, job: &FetchJob, as_of: Generation) -> Result<bool, Failed> {
        let (key, id) = (&job.key, self.ring.server_id(job.key.as_key()));
        let (mut stored, mut others) = (0, Vec::new());
        let mut result = Ok(());
        for _ in 0..TRIES {
            let (most, now) = (job.wanted - stored, self.clock.now());
            let Ok(taken) = self.call(|tier| tier.take(&id, most, now)) else {
                result = Err(Failed);
                break;
            };
            let Taken {
                single_use,
                reusable,
            } = taken;
            let tier_is_empty = single_use.len() < most;
            let mut refused = false;
            if !single_use.is_empty() || reusable.is_some() {
                // Before a connection can offer one of them.
                self.read_standing(key);
                if self.read_cleared_domain(key.as_key().domain()).is_err() {
                    // Whether the sessions are revoked is unknown: they are lost.
                    count(&self.queue.counters.lost, single_use.len());
                    result = Err(Failed);
                    break;
                }
            }
            for sealed in single_use {
                match self.restore(key, &id, &sealed, as_of, now) {
                    Restored::Stored => stored += 1,
                    Restored::Refused => refused = true,
                    Restored::Rejected => {}
                    Restored::UnknownKey { expires } => others.push(Sealed {
                        server: id,
                        usage: Usage::SingleUse,
                        expires,
                        bytes: sealed,
                    }),
                }
            }
            // A reusable session in memory is newer than the tier's.
            let reusable = reusable.filter(|_| !self.memory.available(key, now).reusable);
            let restore = |sealed: Vec<u8>| self.restore(key, &id, &sealed, as_of, now);
            if matches!(reusable.map(restore), Some(Restored::Stored)) {
                stored = stored.max(1);
                break;
            }
            if tier_is_empty || refused || stored >= job.wanted {
                break;
            }
        }
        if stored == 0 && result.is_ok() {
            count(&self.queue.counters.missed, 1);
        } else {
            // If no connection uses the sessions, they are written back for other processes.
            self.write_when_idle(key);
        }
        // Also after a failed take: records of other processes must not be lost.
        let put_back = self.put_back(&others);
        result.and(put_back).map(|()| stored > 0)
    }

    /// Opens a record and stores its session in memory.
    fn restore(
        &self,
        key: &SessionKey,
        id: &ServerId,
        sealed: &[u8],
        as_of: Generation,
        now: Timestamp,
    ) -> Restored {
        match self.ring.open(sealed, id, now) {
            Ok(record) => self.restore_opened(record, key, id, as_of, now),
            Err(why) => {
                self.queue.counters.reject(why);
                match expiry(sealed) {
                    Some(expires) if why == Rejected::UnknownKey => {
                        Restored::UnknownKey { expires }
                    }
                    _ => Restored::Rejected,
                }
            }
        }
    }

    /// Stores the session of an opened record in memory.
    fn restore_opened(
        &self,
        record: Record,
        key: &SessionKey,
        id: &ServerId,
        as_of: Generation,
        now: Timestamp,
    ) -> Restored {
        let counters = &self.queue.counters;
        let entry = match self.decode(record, key, id, now) {
            Ok(entry) => entry,
            Err(why) => {
                counters.reject(why);
                return Restored::Rejected;
            }
        };
        if self.memory.restore(key, entry, as_of, now).is_ok() {
            count(&counters.fetched, 1);
            Restored::Stored
        } else {
            count(&counters.lost, 1);
            Restored::Refused
        }
    }

    /// Decodes a record, unless it is of another backend or server, from the future, or revoked.
    fn decode(
        &self,
        record: Record,
        key: &SessionKey,
        id: &ServerId,
        now: Timestamp,
    ) -> Result<Entry<S>, Rejected> {
        if record.format != S::FORMAT || record.key != *key {
            return Err(Rejected::Foreign);
        }
        if record.established > now.after(USUAL_CLOCK_SKEW) {
            count(&self.queue.counters.from_future, 1);
            self.memory.tell_from_future(key);
        }
        // Another process may have written it to the tier after this one revoked it.
        let from_future = record.established > now.after(CLOCK_SKEW);
        let server = key.as_key();
        let is_revoked = self.revocations.covers(id, record.established)
            || self
                .cleared_domains
                .covers(server.domain(), record.established);
        if from_future || is_revoked {
            return Err(Rejected::Expired);
        }
        let encoded = Encoded {
            facts: record.facts,
            session: record.session,
        };
        let (session, weight) = S::decode(&encoded, record.usage).ok_or(Rejected::Foreign)?;
        let mut entry = Entry {
            session,
            usage: record.usage,
            established: record.established,
            expires: record.expires,
            weight,
            // The process that put it has checked it.
            ticket_bytes: 0,
            address: record.address,
        };
        if record.application_data.is_some() {
            entry.set_application_data(record.application_data);
        }
        Ok(entry)
    }

    /// Loads records of a domain into memory. Single-use records of other domains are put back;
    /// reusable ones were only copied.
    pub(super) fn load(
        &mut self,
        domain: &SecurityDomain,
        most: usize,
        as_of: Generation,
    ) -> Result<(), Failed> {
        let now = self.clock.now();
        self.read_cleared_domain(domain)?;
        let loaded = self.call(|tier| tier.load(most, now)).map_err(|_| Failed)?;
        let open = |sealed: Sealed| (self.ring.open(&sealed.bytes, &sealed.server, now), sealed);
        let opened: Vec<_> = loaded.into_iter().map(open).collect();
        let in_domain = |record: &Record| record.key.as_key().domain() == domain;
        let records = opened.iter().filter_map(|(opened, _)| opened.as_ref().ok());
        // Before sessions: what memory knows of a server by itself stands.
        for notice in records.filter(|record| record.format == STANDING && in_domain(record)) {
            self.learn(notice);
        }
        let mut others = Vec::new();
        for (opened, sealed) in opened {
            let is_other = match opened {
                Ok(record) if record.format == S::FORMAT && in_domain(&record) => {
                    let key = record.key.clone();
                    self.restore_opened(record, &key, &sealed.server, as_of, now);
                    false
                }
                Ok(_) | Err(Rejected::UnknownKey) => true,
                Err(why) => {
                    self.queue.counters.reject(why);
                    false
                }
            };
            if is_other && sealed.usage == Usage::SingleUse {
                others.push(sealed);
            }
        }
        self.put_back(&others)
    }
}
