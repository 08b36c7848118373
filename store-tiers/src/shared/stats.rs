//! Counters of a shared store's tier.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::Rejected;

/// Counters of the tier since the [`SharedStore`](crate::SharedStore) was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)] // an older release's output lacks newer fields
#[non_exhaustive]
pub struct TierStats {
    /// Records written to the tier.
    pub written: u64,
    /// Sessions restored from the tier into memory.
    pub fetched: u64,
    /// Fetches for which the tier had no session.
    pub missed: u64,
    /// Writes and fetches not queued because the backlog was full. Sessions that were to be written
    /// stay in memory.
    pub dropped: u64,
    /// Sessions dropped: it is unknown whether the tier has them, memory refused them after a
    /// fetch, or the tier failed to store records again that were read but are for other processes.
    pub lost: u64,
    /// Records rejected: of another version, format or server, or not decodable.
    pub rejected_foreign: u64,
    /// Records rejected: sealed with a key that is not in the ring.
    pub rejected_unknown_key: u64,
    /// Records rejected: modified, or moved to another server.
    pub rejected_tampered: u64,
    /// Records rejected: expired, established in the future, or revoked by this process.
    pub rejected_expired: u64,
    /// Records from full handshakes more than 5 s in the future: the clocks of the machines differ.
    /// Those more than a minute ahead are rejected as well.
    pub from_future: u64,
    /// Calls to the tier that failed.
    pub failures: u64,
    /// Whether the circuit breaker is open: the tier failed, and is not called for now.
    pub resting: bool,
    /// Whether the worker thread has ended: the tier is not called any more.
    pub stopped: bool,
}

impl TierStats {
    /// The counters with the names of their fields.
    pub fn counters(&self) -> [(&'static str, u64); 11] {
        let Self {
            written,
            fetched,
            missed,
            dropped,
            lost,
            rejected_foreign,
            rejected_unknown_key,
            rejected_tampered,
            rejected_expired,
            from_future,
            failures,
            resting: _,
            stopped: _,
        } = *self;
        [
            ("written", written),
            ("fetched", fetched),
            ("missed", missed),
            ("dropped", dropped),
            ("lost", lost),
            ("rejected_foreign", rejected_foreign),
            ("rejected_unknown_key", rejected_unknown_key),
            ("rejected_tampered", rejected_tampered),
            ("rejected_expired", rejected_expired),
            ("from_future", from_future),
            ("failures", failures),
        ]
    }

    /// The current state with the names of its fields: 1 for true, 0 for false.
    pub fn gauges(&self) -> [(&'static str, u64); 2] {
        [
            ("resting", self.resting.into()),
            ("stopped", self.stopped.into()),
        ]
    }

    /// All rejected records.
    pub fn rejected(&self) -> u64 {
        self.rejected_foreign
            + self.rejected_unknown_key
            + self.rejected_tampered
            + self.rejected_expired
    }
}

/// [`TierStats`] as atomics.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) fetched: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    foreign: AtomicU64,
    unknown_key: AtomicU64,
    tampered: AtomicU64,
    expired: AtomicU64,
    pub(super) from_future: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) breaker_open: AtomicBool,
    pub(super) stopped: AtomicBool,
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn reject(&self, why: Rejected) {
        let counter = match why {
            Rejected::Foreign => &self.foreign,
            Rejected::UnknownKey => &self.unknown_key,
            Rejected::Tampered => &self.tampered,
            Rejected::Expired => &self.expired,
        };
        count(counter, 1);
    }

    pub(super) fn read(&self) -> TierStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierStats {
            written: load(&self.written),
            fetched: load(&self.fetched),
            missed: load(&self.missed),
            dropped: load(&self.dropped),
            lost: load(&self.lost),
            rejected_foreign: load(&self.foreign),
            rejected_unknown_key: load(&self.unknown_key),
            rejected_tampered: load(&self.tampered),
            rejected_expired: load(&self.expired),
            from_future: load(&self.from_future),
            failures: load(&self.failures),
            resting: self.breaker_open.load(Ordering::Relaxed),
            stopped: self.stopped.load(Ordering::Relaxed),
        }
    }
}
