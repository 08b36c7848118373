//! Notices: what processes tell each other by a tier beside sessions. Each is a reusable record without
//! a session, under an id of its own.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::Portable;

use super::{Failed, Worker};
use crate::{Record, Rejected, Sealed, ServerId};

/// The format of a notice of a server's standing. No backend's, as the next.
pub(super) const STANDING: u32 = 0;
/// The format of a notice that a security domain was cleared.
pub(super) const DOMAIN_CLEARED: u32 = 1;
/// For this time after a read, a notice is not read again.
const REREAD: Duration = Duration::from_secs(10);
/// Notices of one kind whose last read is kept. Others are read again.
const KEPT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The notices of one kind that were read last, so that not every fetch makes another call; with what
/// they said.
pub(in crate::shared) struct LastReads<K: Hash + Eq, T>(LruCache<K, (Instant, T)>);

impl<K: Hash + Eq, T> LastReads<K, T> {
    pub(in crate::shared) fn new() -> Self {
        Self(LruCache::new(KEPT))
    }

    /// Whether to read the notice about `about` now.
    pub(super) fn is_due(&self, about: &K, now: Instant) -> bool {
        let recent = |(read, _): &(Instant, T)| now.saturating_duration_since(*read) < REREAD;
        !self.0.peek(about).is_some_and(recent)
    }

    /// What the notice said when it was read last.
    pub(super) fn said(&self, about: &K) -> Option<&T> {
        self.0.peek(about).map(|(_, said)| said)
    }

    pub(super) fn insert(&mut self, about: K, said: T, read: Instant) {
        self.0.put(about, (read, said));
    }
}

impl<S: Portable> Worker<S> {
    /// Seals a record for the tier. `None` if the system has no random numbers.
    pub(super) fn sealed(&self, record: &Record, server: ServerId) -> Option<Sealed> {
        Some(Sealed {
            bytes: self.ring.seal(record, &server).ok()?,
            server,
            usage: record.usage,
            expires: record.expires,
        })
    }

    /// Reads the notice of this format under this id; `None` if there is none. One that is rejected is
    /// counted.
    pub(super) fn read_notice(
        &mut self,
        id: &ServerId,
        format: u32,
    ) -> Result<Option<Result<Record, Rejected>>, Failed> {
        let now = self.clock.now();
        let taken = self.call(|tier| tier.take(id, 0, now));
        let taken = taken.map_err(|_| Failed)?;
        let Some(bytes) = taken.reusable else {
            return Ok(None);
        };
        let opened = self.ring.open(&bytes, id, now);
        let opened = opened.inspect_err(|why| self.queue.counters.reject(*why));
        let is_other = opened.as_ref().is_ok_and(|record| record.format != format);
        Ok((!is_other).then_some(opened))
    }
}
