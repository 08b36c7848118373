//! When security domains were cleared, told to other processes: as a reusable record under an id of
//! the domain's own. The records of its sessions stay, and are rejected when they are fetched.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::{KeyRef, Portable, SecurityDomain, Timestamp, Usage};

use super::{Failed, Worker};
use crate::{Record, Sealed, TierError};

/// The format of these records: no backend's.
const FORMAT: u32 = 1;
/// How long they live: longer than any session from before the clear.
const LIFETIME: Duration = Usage::SingleUse.longest_lifetime();
/// For this time after a read, the record of a domain is not read again.
const REREAD: Duration = Duration::from_secs(10);
/// Domains whose record is remembered. Others are read again.
const DOMAINS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// When domains were cleared last, as far as it was read or written in this process.
pub(in crate::shared) struct ClearedDomains(LruCache<SecurityDomain, Known>);

struct Known {
    read: Instant,
    cleared: Option<Timestamp>,
}

impl ClearedDomains {
    pub(in crate::shared) fn new() -> Self {
        Self(LruCache::new(DOMAINS))
    }

    /// Whether the record of a domain has to be read.
    fn is_due(&self, domain: &SecurityDomain, now: Instant) -> bool {
        let recent = |known: &Known| now.saturating_duration_since(known.read) < REREAD;
        !self.0.peek(domain).is_some_and(recent)
    }

    /// A domain was cleared at this time, or (`None`) there is no record of it.
    fn insert(&mut self, domain: SecurityDomain, cleared: Option<Timestamp>, read: Instant) {
        let before = self.0.get(&domain).and_then(|known| known.cleared);
        let cleared = before.max(cleared);
        self.0.put(domain, Known { read, cleared });
    }

    /// Whether a session of this domain, from a full handshake at `established`, is revoked.
    pub(super) fn covers(&self, domain: &SecurityDomain, established: Timestamp) -> bool {
        let known = self.0.peek(domain);
        known
            .and_then(|known| known.cleared)
            .is_some_and(|cleared| established <= cleared)
    }
}

impl<S: Portable> Worker<S> {
    /// Writes that a domain was cleared at `now`.
    pub(super) fn clear_domain(
        &mut self,
        domain: &SecurityDomain,
        now: Timestamp,
    ) -> Result<(), TierError> {
        self.cleared_domains
            .insert(*domain, Some(now), Instant::now());
        let (server, expires) = (self.ring.domain_id(domain), now.after(LIFETIME));
        let record = Record {
            key: KeyRef::new(domain, "").to_key(),
            format: FORMAT,
            usage: Usage::Reusable,
            established: now,
            expires,
            facts: Vec::new(),
            session: Vec::new().into(),
        };
        let Ok(bytes) = self.ring.seal(&record, &server) else {
            // No session can be sealed either.
            return Ok(());
        };
        let sealed = Sealed {
            server,
            usage: record.usage,
            expires,
            bytes,
        };
        self.call(|tier| tier.put(&[sealed], now))
    }

    /// Reads whether another process has cleared a domain of which a session was found.
    pub(super) fn read_cleared_domain(&mut self, domain: &SecurityDomain) -> Result<(), Failed> {
        let read = Instant::now();
        if !self.cleared_domains.is_due(domain, read) {
            return Ok(());
        }
        let (server, now) = (self.ring.domain_id(domain), self.clock.now());
        let taken = self.call(|tier| tier.take(&server, 0, now));
        let taken = taken.map_err(|_| Failed)?;
        let record = taken
            .reusable
            .map(|bytes| self.ring.open(&bytes, &server, now));
        let cleared = match record {
            Some(Ok(record)) if record.format == FORMAT => Some(record.established),
            Some(Ok(_)) | None => None,
            Some(Err(why)) => {
                self.queue.counters.reject(why);
                // It may have said that the domain was cleared just now.
                Some(now)
            }
        };
        self.cleared_domains.insert(*domain, cleared, read);
        Ok(())
    }
}
