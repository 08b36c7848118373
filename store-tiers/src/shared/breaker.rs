//! When to leave a place alone that fails.

use std::time::{Duration, Instant};

/// How long the first failure keeps a place alone; each one after it twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// The longest that a place is left alone.
const LONGEST: Duration = Duration::from_secs(10);

/// A circuit breaker: closed until something fails, then open for a while.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Until when the place is left alone: nothing if it is not.
    pub(super) fn open_until(&self) -> Option<Instant> {
        self.open_until
    }

    /// The same, as far as it is not over at `now`.
    pub(super) fn still_open(&self, now: Instant) -> Option<Instant> {
        self.open_until.filter(|until| *until > now)
    }

    /// The place answers again; whether it does what failed before is not known yet.
    pub(super) fn close(&mut self) {
        self.open_until = None;
    }

    /// The place did what it was asked to.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The place failed at `now`.
    pub(super) fn failed(&mut self, now: Instant) {
        let pause = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.open_until = now.checked_add(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_and_forgets_after_a_success() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.open_until(), None);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            breaker.failed(now);
            pauses.push(breaker.open_until().unwrap() - now);
        }
        assert_eq!(pauses[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&LONGEST));
        breaker.succeeded();
        assert_eq!(breaker.open_until(), None);
        breaker.failed(now);
        assert_eq!(breaker.open_until(), Some(now + FIRST));
    }
}
