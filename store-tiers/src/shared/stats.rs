//! What a shared store has done beyond memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::Rejected;

/// Counters since a shared store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)] // what an older release has written lacks what is new
#[non_exhaustive]
pub struct TierStats {
    /// Records written to the tier.
    pub written: u64,
    /// Sessions that came from the tier into memory.
    pub fetched: u64,
    /// Times that the tier was asked for a server and had nothing.
    pub missed: u64,
    /// Servers whose sessions were not written, and those that were not asked for, because too much
    /// was waiting already. Their sessions stay in memory.
    pub dropped: u64,
    /// Sessions that were given up: it is not known whether the tier has them, or memory has no room
    /// for what came from it.
    pub lost: u64,
    /// Records that are not of this version or format.
    pub rejected_foreign: u64,
    /// Records sealed with a key that is not in the ring.
    pub rejected_unknown_key: u64,
    /// Records that were changed, or put under another server.
    pub rejected_tampered: u64,
    /// Records that had expired when they came, come from the future, or were revoked here before.
    pub rejected_expired: u64,
    /// Times that the tier did not do what it was asked to.
    pub failures: u64,
    /// Whether the tier is left alone for now because it failed.
    pub resting: bool,
    /// Whether it is left alone for good, because what serves it has ended.
    pub stopped: bool,
}

impl TierStats {
    /// The counters by name, each the name of its field.
    pub fn counters(&self) -> [(&'static str, u64); 10] {
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
            ("failures", failures),
        ]
    }

    /// What the tier is like now, by name, 1 for yes and 0 for no.
    pub fn gauges(&self) -> [(&'static str, u64); 2] {
        [
            ("resting", self.resting.into()),
            ("stopped", self.stopped.into()),
        ]
    }

    /// Records that were dropped on arrival, for whatever reason.
    pub fn rejected(&self) -> u64 {
        self.rejected_foreign
            + self.rejected_unknown_key
            + self.rejected_tampered
            + self.rejected_expired
    }
}

/// The same, while they are counted.
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
    pub(super) failures: AtomicU64,
    pub(super) resting: AtomicBool,
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
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierStats {
            written: of(&self.written),
            fetched: of(&self.fetched),
            missed: of(&self.missed),
            dropped: of(&self.dropped),
            lost: of(&self.lost),
            rejected_foreign: of(&self.foreign),
            rejected_unknown_key: of(&self.unknown_key),
            rejected_tampered: of(&self.tampered),
            rejected_expired: of(&self.expired),
            failures: of(&self.failures),
            resting: self.resting.load(Ordering::Relaxed),
            stopped: self.stopped.load(Ordering::Relaxed),
        }
    }
}
