//! Servers that are avoided, told to other processes: by a notice whose expiry is the time until which
//! the server is avoided.

use std::time::Instant;

use store_core::tier::{Avoided, TierAccess};
use store_core::{Portable, SessionKey, Usage};

use super::notices::{LastReads, SERVER_AVOIDED};
use super::{Failed, Worker};
use crate::Record;

/// The servers whose notice was read.
pub(in crate::shared) type AvoidedReads = LastReads<SessionKey, ()>;

impl<S: Portable> Worker<S> {
    /// Writes that a server is avoided, or (`None`) removes the notice. After a failure, each process
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
        let notice = Record {
            key: key.clone(),
            format: SERVER_AVOIDED,
            usage: Usage::Reusable,
            established: now,
            expires: until,
            facts: vec![times],
            session: Vec::new().into(),
            application_data: None,
        };
        let Some(sealed) = self.sealed(&notice, server) else {
            return Ok(());
        };
        self.put(&[sealed], now).map_err(|_| Failed)
    }

    /// Reads whether another process avoids a server whose sessions are being fetched.
    pub(super) fn read_avoided(&mut self, key: &SessionKey) {
        let read = Instant::now();
        if !self.avoided.is_due(key, read) {
            return;
        }
        self.avoided.insert(key.clone(), (), read);
        let id = self.ring.avoided_id(key.as_key());
        // After a failure, this process learns it by itself.
        if let Ok(Some(Ok(notice))) = self.read_notice(&id, SERVER_AVOIDED)
            && notice.key == *key
        {
            self.avoid(&notice);
        }
    }

    /// Avoids the server of a notice.
    pub(super) fn avoid(&self, notice: &Record) {
        let times = notice.facts.first().copied().unwrap_or_default();
        let until = notice.expires;
        self.memory.avoid(&notice.key, Avoided { until, times });
    }
}
