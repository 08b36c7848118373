//! Which offers are declined, and when the keys are new.

use std::sync::{Mutex, PoisonError};

/// Counts connections and offers, and says what is to be done with the next one.
#[derive(Debug)]
pub(super) struct Schedule {
    decline_every: Option<u64>,
    rotate_every: Option<u64>,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    connections: u64,
    offers: u64,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its number among those that have sent a `ClientHello`, from 1.
    pub(super) number: u64,
    /// Whether what it offers is declined.
    pub(super) declines: bool,
}

impl Schedule {
    pub(super) fn new(decline_every: Option<u64>, rotate_every: Option<u64>) -> Self {
        Self {
            decline_every,
            rotate_every,
            counted: Mutex::default(),
        }
    }

    /// The step of a connection whose `ClientHello` has come. `rotate` is called before it, and
    /// before anybody else's next step, when the keys have to be new by now.
    pub(super) fn next(&self, offers: bool, rotate: impl FnOnce()) -> Step {
        let is_due =
            |every: Option<u64>, count: u64| every.is_some_and(|n| count.is_multiple_of(n));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.connections > 0 && is_due(self.rotate_every, counted.connections) {
            rotate();
        }
        counted.connections += 1;
        counted.offers += u64::from(offers);
        Step {
            number: counted.connections,
            declines: offers && is_due(self.decline_every, counted.offers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_counted_and_nothing_else() {
        let schedule = Schedule::new(Some(2), None);
        let offers = [false, true, true, false, true, true];
        let declined =
            offers.map(|offers| schedule.next(offers, || panic!("no rotation")).declines);
        assert_eq!(declined, [false, false, true, false, false, true]);
    }

    #[test]
    fn keys_are_new_after_every_so_many_connections() {
        let schedule = Schedule::new(None, Some(3));
        let rotated = [(); 7].map(|()| {
            let mut rotated = false;
            let step = schedule.next(true, || rotated = true);
            assert!(!step.declines);
            rotated
        });
        assert_eq!(rotated, [false, false, false, true, false, false, true]);
    }
}
