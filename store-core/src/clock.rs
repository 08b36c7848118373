//! Timestamps, and the clocks that backends read. The store takes the time as an argument.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since the Unix epoch, in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The latest time: a session with this expiry never expires.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time `since_epoch` after the Unix epoch, truncated to milliseconds.
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    /// The time that [`as_millis`](Self::as_millis) encodes, [`NEVER`](Self::NEVER) included.
    pub fn from_millis(since_epoch: u64) -> Self {
        Self(since_epoch)
    }

    /// The milliseconds since the Unix epoch.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// The time since the Unix epoch.
    pub fn since_epoch(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The time `duration` later; [`Timestamp::NEVER`] instead of an overflow.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.after_millis(duration.into())
    }

    /// [`after`](Self::after), for a time that was converted before.
    #[inline]
    pub(crate) fn after_millis(self, millis: Millis) -> Self {
        Self(self.0.saturating_add(millis.0))
    }

    /// The time since `earlier`; `None` if `earlier` is later.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_millis)
    }
}

/// A length of time in milliseconds: what operations add to a [`Timestamp`] is converted once.
#[derive(Clone, Copy)]
pub(crate) struct Millis(u64);

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The source of the time that a backend passes to the store.
///
/// It should be wall-clock time: sessions expire also while a machine sleeps, and the machines that
/// share a tier must agree on the time. It may go backwards: the store then treats sessions that
/// were stored later than the current time as expired.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as the epoch: every session then counts as from the future.
        Timestamp::from_unix(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }
}

/// A clock that only moves when it is set, for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_instead_of_overflowing() {
        assert_eq!(Timestamp::NEVER.after(Duration::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::from_unix(Duration::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::NEVER), None);
    }

    #[test]
    fn the_system_clock_has_no_limit_in_2038() {
        let now = SystemClock.now();
        assert!(now > Timestamp::from_unix(Duration::from_secs(1_700_000_000)));
        assert!(now.after(Duration::from_secs(1 << 33)) > now);
    }

    #[test]
    fn a_manual_clock_can_be_set_back() {
        let clock = ManualClock::new(Timestamp::EPOCH);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now().since_epoch(), Duration::from_secs(5));
        clock.set(Timestamp::EPOCH);
        assert_eq!(clock.now(), Timestamp::EPOCH);
    }
}
