//! When security domains were cleared, told to other processes by notices. The records of their
//! sessions stay, and are rejected when they are fetched.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::{KeyRef, Portable, SecurityDomain, Timestamp, Usage};

use super::notices::DOMAIN_CLEARED;
use super::{Failed, Worker};
use crate::{Record, TierError};

/// How long a notice lives: longer than any session from before the clear.
const LIFETIME: Duration = Usage::SingleUse.longest_lifetime();

/// For this time after a read, a notice is not read again.
const REREAD: Duration = Duration::from_secs(10);
/// Domains whose last read is kept. The notices of others are read again.
const KEPT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// When domains were cleared last, as far as it was read or written in this process, and when that was.
pub(in crate::shared) struct ClearedDomains(LruCache<SecurityDomain, (Instant, Option<Timestamp>)>);

impl ClearedDomains {
    pub(in crate::shared) fn new() -> Self {
        Self(LruCache::sparse(KEPT))
    }

    /// A domain was cleared at this time, or (`None`) there is no notice of it.
    fn insert(&mut self, domain: SecurityDomain, cleared: Option<Timestamp>, read: Instant) {
        let cleared = cleared.max(self.cleared(&domain));
        self.0.put(domain, (read, cleared));
    }

    fn cleared(&self, domain: &SecurityDomain) -> Option<Timestamp> {
        self.0.peek(domain)?.1
    }

    /// Whether to read the notice of a domain now.
    fn is_due(&self, domain: &SecurityDomain, now: Instant) -> bool {
        let recent = |(read, _): &(Instant, _)| now.saturating_duration_since(*read) < REREAD;
        !self.0.peek(domain).is_some_and(recent)
    }

    /// Whether a session of this domain, from a full handshake at `established`, is revoked.
    pub(super) fn covers(&self, domain: &SecurityDomain, established: Timestamp) -> bool {
        let cleared = self.cleared(domain);
        cleared.is_some_and(|cleared| established <= cleared)
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
            .insert(*domain, Some(now), self.queue.now());
        let notice = Record {
            key: KeyRef::new(domain, "").to_key(),
            format: DOMAIN_CLEARED,
            usage: Usage::Reusable,
            established: now,
            expires: now.after(LIFETIME),
            facts: Vec::new(),
            session: Vec::new().into(),
            address: None,
            application_data: None,
        };
        let Some(sealed) = self.sealed(&notice, self.ring.domain_id(domain)) else {
            // No session can be sealed either.
            return Ok(());
        };
        self.call(|tier| tier.put(&[sealed], now))
    }

    /// Reads whether another process has cleared a domain of which a session was found.
    pub(super) fn read_cleared_domain(&mut self, domain: &SecurityDomain) -> Result<(), Failed> {
        let read = self.queue.now();
        if !self.cleared_domains.is_due(domain, read) {
            return Ok(());
        }
        let id = self.ring.domain_id(domain);
        let cleared = match self.read_notice(&id, DOMAIN_CLEARED)? {
            Some(Ok(notice)) => Some(notice.established),
            // It may have said that the domain was cleared just now.
            Some(Err(_)) => Some(self.clock.now()),
            None => None,
        };
        self.cleared_domains.insert(*domain, cleared, read);
        Ok(())
    }
}
