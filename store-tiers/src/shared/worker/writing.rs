//! From memory to the tier.

use store_core::{Encoded, Entry, Generation, Portable, SessionKey, Timestamp, Usage};

use super::{Failed, Worker};
use crate::shared::stats::count;
use crate::shared::waiting::ToWrite;
use crate::{Record, Sealed, ServerId, TierError};

/// Servers that memory is emptied of in one go.
const FLUSH_BATCH: usize = 32;

/// A session on its way to the tier.
struct Leaving<S> {
    key: SessionKey,
    entry: Entry<S>,
    sealed: Sealed,
}

impl<S: Portable> Worker<S> {
    /// Writes what waits to be written of these servers.
    pub(super) fn write(
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
        let server = self.ring.server_id(key.as_key());
        let entries = single_use.into_iter().flatten().chain(reusable.flatten());
        for entry in entries {
            match self.seal(key, server, &entry) {
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
            Err(TierError::NotApplied(_)) => {
                for (key, entry) in entries {
                    self.keep(&key, entry, as_of, now);
                }
            }
            Err(TierError::MaybeApplied(_)) => {
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
    pub(super) fn flush(&mut self, as_of: Generation) -> Result<(), Failed> {
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

    fn seal(&self, key: &SessionKey, server: ServerId, entry: &Entry<S>) -> Option<Sealed> {
        let Encoded { facts, session } = entry.session.encode()?;
        let record = Record {
            key: key.clone(),
            format: S::FORMAT,
            usage: entry.usage,
            established: entry.established,
            expires: entry.expires,
            facts,
            session,
        };
        Some(Sealed {
            bytes: self.ring.seal(&record, &server).ok()?,
            server,
            usage: entry.usage,
            expires: entry.expires,
        })
    }
}
