//! A circuit breaker.

use std::time::{Duration, Instant};

/// How long the first failure opens the breaker; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: sessions are shared again within 5 s after the tier is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// A circuit breaker: a failure opens it for a pause, in which the tier is not called.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// The end of the pause, also after it is over; `None` if the breaker is closed.
    pub(super) fn open_until(&self) -> Option<Instant> {
        self.open_until
    }

    /// The end of the pause, if that is after `now`.
    pub(super) fn still_open(&self, now: Instant) -> Option<Instant> {
        self.open_until.filter(|until| *until > now)
    }

    /// Ends the pause, and keeps the count of failures: the tier answers again, but the call that
    /// failed may fail again.
    pub(super) fn close(&mut self) {
        self.open_until = None;
    }

    /// Closes the breaker and resets the count of failures.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Opens the breaker at `now`.
    pub(super) fn failed(&mut self, now: Instant) {
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.open_until = now.checked_add(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_a_success_resets_them() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.open_until(), None);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            breaker.failed(now);
            pauses.push(breaker.open_until().unwrap() - now);
        }
        assert_eq!(pauses[..3], [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]);
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
        breaker.succeeded();
        assert_eq!(breaker.open_until(), None);
        breaker.failed(now);
        assert_eq!(breaker.open_until(), Some(now + FIRST_PAUSE));
    }
}
