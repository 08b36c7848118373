//! Servers that are avoided, told to other processes: as a reusable record under an id of its own, whose
//! expiry is the time until which the server is avoided.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::tier::{Avoided, TierAccess};
use store_core::{Portable, SessionKey, Usage};

use super::{Failed, Worker};
use crate::{Record, Sealed};

/// The format of these records: no backend's.
const FORMAT: u32 = 0;
/// For this time after a read, the record of a server is not read again.
const REREAD: Duration = Duration::from_secs(10);
/// Servers for which the time of the last read is kept.
const SERVERS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// When the records of servers were last read, so that not every fetch makes two calls.
pub(in crate::shared) struct AvoidedReads(LruCache<SessionKey, Instant>);

impl AvoidedReads {
    pub(in crate::shared) fn new() -> Self {
        Self(LruCache::new(SERVERS))
    }

    /// Whether to read the record of this server now.
    fn is_due(&mut self, key: &SessionKey, now: Instant) -> bool {
        let recent = |read: &Instant| now.saturating_duration_since(*read) < REREAD;
        let is_due = !self.0.peek(key).is_some_and(recent);
        if is_due {
            self.0.put(key.clone(), now);
        }
        is_due
    }
}

/// Whether a record says that a server is avoided.
pub(super) fn avoids(record: &Record) -> bool {
    record.format == FORMAT
}

impl<S: Portable> Worker<S> {
    /// Writes that a server is avoided, or (`None`) removes the record. After a failure, each process
    /// learns it by itself.
    pub(super) fn write_avoided(
        &mut self,
        key: &SessionKey,
        avoided: Option<Avoided>,
    ) -> Result<(), Failed> {
        let (server, now) = (self.ring.avoided_id(key.as_key()), self.clock.now());
        let Some(Avoided { until, times }) = avoided else {
            return self.call(|tier| tier.remove(&server)).map_err(|_| Failed);
        };
        let record = Record {
            key: key.clone(),
            format: FORMAT,
            usage: Usage::Reusable,
            established: now,
            expires: until,
            facts: vec![times],
            session: Vec::new().into(),
        };
        let Ok(bytes) = self.ring.seal(&record, &server) else {
            return Ok(());
        };
        let sealed = Sealed {
            server,
            usage: record.usage,
            expires: until,
            bytes,
        };
        self.put(&[sealed], now).map_err(|_| Failed)
    }

    /// Reads whether another process avoids a server whose sessions are being fetched.
    pub(super) fn read_avoided(&mut self, key: &SessionKey) {
        if !self.avoided.is_due(key, Instant::now()) {
            return;
        }
        let (server, now) = (self.ring.avoided_id(key.as_key()), self.clock.now());
        let Ok(taken) = self.call(|tier| tier.take(&server, 0, now)) else {
            return;
        };
        let record = taken
            .reusable
            .map(|bytes| self.ring.open(&bytes, &server, now));
        match record {
            Some(Ok(record)) if avoids(&record) && record.key == *key => self.avoid(&record),
            Some(Err(why)) => self.queue.counters.reject(why),
            _ => {}
        }
    }

    /// Avoids the server of a record.
    pub(super) fn avoid(&self, record: &Record) {
        let times = record.facts.first().copied().unwrap_or_default();
        let until = record.expires;
        self.memory.avoid(&record.key, Avoided { until, times });
    }
}
