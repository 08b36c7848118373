//! From the tier into memory.

use std::time::Duration;

use store_core::{
    Encoded, Entry, Generation, Portable, SecurityDomain, SessionKey, Timestamp, Usage,
};

use super::{Failed, Worker};
use crate::ring::expiry;
use crate::shared::stats::count;
use crate::shared::waiting::Fetching;
use crate::{Record, Rejected, Sealed, ServerId, Taken};

/// How often a server is asked again whose records turn out to be worth nothing.
const TRIES: usize = 8;
/// How far the clocks of machines that share sessions may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

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
    /// Brings sessions of a server into memory, and says whether one came.
    pub(super) fn fetch(&mut self, wanted: &Fetching, as_of: Generation) -> Result<bool, Failed> {
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
            let asked = reusable.filter(|_| !self.memory.available(key, now).reusable);
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
        match self.ring.open(sealed, id, now) {
            Ok(record) => self.admit(record, key, id, as_of, now),
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

    /// The same with a record that is open.
    fn admit(
        &self,
        record: Record,
        key: &SessionKey,
        id: &ServerId,
        as_of: Generation,
        now: Timestamp,
    ) -> Restored {
        let counters = &self.queue.counters;
        let entry = match self.entry_of(record, key, id, now) {
            Ok(entry) => entry,
            Err(why) => {
                counters.reject(why);
                return Restored::Rejected;
            }
        };
        if self.memory.restore(key, entry, as_of, now).is_ok() {
            count(&counters.fetched, 1);
            Restored::Here
        } else {
            count(&counters.lost, 1);
            Restored::NoRoom
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

    /// Loads records of a domain. The others go back, as far as they were taken: a reusable one has
    /// never left.
    pub(super) fn load(
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
                Ok(record)
                    if record.format == S::FORMAT && record.key.as_key().domain() == domain =>
                {
                    let key = record.key.clone();
                    self.admit(record, &key, &sealed.server, as_of, now);
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
}
