//! Writing: from memory to the tier.

use store_core::tier::TierAccess;
use store_core::{Encoded, Entry, Generation, Portable, SessionKey, Timestamp, Usage};

use super::{Failed, Worker};
use crate::shared::backlog::WriteScope;
use crate::shared::stats::count;
use crate::{Record, Sealed, ServerId, TierError};

/// Servers in one put of a flush.
const FLUSH_BATCH: usize = 32;

/// A session taken from memory, and its record for the tier.
struct Outgoing<S> {
    key: SessionKey,
    entry: Entry<S>,
    sealed: Sealed,
}

impl<S: Portable> Worker<S> {
    /// Writes the queued sessions of these servers.
    pub(super) fn write(
        &mut self,
        batch: Vec<(SessionKey, WriteScope)>,
        as_of: Generation,
    ) -> Result<(), Failed> {
        let now = self.clock.now();
        let mut outgoing = Vec::new();
        for (key, scope) in &batch {
            self.collect(key, *scope, as_of, now, &mut outgoing);
        }
        let written = self.put_outgoing(outgoing, as_of, now);
        for (key, scope) in batch {
            if written.is_err() {
                // If the backlog is full, the sessions stay in memory.
                self.queue.change(|backlog| drop(backlog.write(key, scope)));
            } else if self.memory.available(&key, now).single_use > 0 {
                self.write_when_idle(&key);
            }
        }
        written
    }

    /// Takes the sessions in `scope` out of memory and seals them.
    fn collect(
        &self,
        key: &SessionKey,
        scope: WriteScope,
        as_of: Generation,
        now: Timestamp,
        outgoing: &mut Vec<Outgoing<S>>,
    ) {
        let single_use = scope.single_use_except.map(|kept| {
            let take = |kept| self.memory.surplus(key, kept, now);
            self.queue.take_surplus(key, kept, take)
        });
        let reusable = scope.reusable.then(|| self.memory.reusable_copy(key, now));
        let server = self.ring.server_id(key.as_key());
        let entries = single_use.into_iter().flatten().chain(reusable.flatten());
        for entry in entries {
            match self.seal(key, server, &entry) {
                Some(sealed) => outgoing.push(Outgoing {
                    key: key.clone(),
                    entry,
                    sealed,
                }),
                None => self.restore_single_use(key, entry, as_of, now),
            }
        }
    }

    /// Puts the records into the tier. After a failure, the sessions go back to memory if the tier
    /// does not have them, and are dropped if it may have them.
    fn put_outgoing(
        &mut self,
        outgoing: Vec<Outgoing<S>>,
        as_of: Generation,
        now: Timestamp,
    ) -> Result<(), Failed> {
        if outgoing.is_empty() {
            return Ok(());
        }
        let (entries, records): (Vec<_>, Vec<_>) = outgoing
            .into_iter()
            .map(|outgoing| ((outgoing.key, outgoing.entry), outgoing.sealed))
            .unzip();
        match self.put(&records, now) {
            Ok(()) => {
                count(&self.queue.counters.written, records.len());
                return Ok(());
            }
            Err(TierError::NotApplied(_)) => {
                for (key, entry) in entries {
                    self.restore_single_use(&key, entry, as_of, now);
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

    /// Restores a single-use session; a reusable one was only copied.
    fn restore_single_use(
        &self,
        key: &SessionKey,
        entry: Entry<S>,
        as_of: Generation,
        now: Timestamp,
    ) {
        if entry.usage == Usage::SingleUse {
            // Refused if the server was cleared meanwhile or memory is full: a miss.
            let _ = self.memory.restore(key, entry, as_of, now);
        }
    }

    /// Writes all sessions in memory.
    pub(super) fn flush(&mut self, as_of: Generation) -> Result<(), Failed> {
        let now = self.clock.now();
        let all = WriteScope {
            single_use_except: Some(0),
            reusable: true,
        };
        let servers: Vec<SessionKey> = self.memory.servers().collect();
        for batch in servers.chunks(FLUSH_BATCH) {
            let mut outgoing = Vec::new();
            for key in batch {
                self.collect(key, all, as_of, now, &mut outgoing);
            }
            self.put_outgoing(outgoing, as_of, now)?;
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
            address: entry.address,
            application_data: entry.session.application_data().cloned(),
        };
        self.sealed(&record, server)
    }
}
