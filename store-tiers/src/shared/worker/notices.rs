//! Notices: what processes tell each other by a tier beside sessions. Each is a reusable record without
//! a session, under an id of its own.

use store_core::Portable;

use super::{Failed, Worker};
use crate::{Record, Rejected, Sealed, ServerId};

/// The format of a notice of a server's standing. No backend's, as the next.
pub(super) const STANDING: u32 = 0;
/// The format of a notice that a security domain was cleared.
pub(super) const DOMAIN_CLEARED: u32 = 1;

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
