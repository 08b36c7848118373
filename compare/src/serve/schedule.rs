//! Which offers are declined, and when the ticket keys change.

use std::sync::{Mutex, PoisonError};

/// Counts connections and offers and decides about the next one.
#[derive(Debug)]
pub(super) struct Schedule {
    decline_every: Option<u64>,
    rotate_every: Option<u64>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: u64,
    offers: u64,
}

/// The decision about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its number among the connections that have sent a `ClientHello`, from 1.
    pub(super) number: u64,
    /// Whether its offer is declined.
    pub(super) declines: bool,
}

impl Schedule {
    pub(super) fn new(decline_every: Option<u64>, rotate_every: Option<u64>) -> Self {
        Self {
            decline_every,
            rotate_every,
            counts: Mutex::default(),
        }
    }

    /// The step of a connection whose `ClientHello` has been received. Calls `rotate` first if the keys
    /// have to change before this connection; no other connection gets a step meanwhile.
    pub(super) fn next(&self, offers: bool, rotate: impl FnOnce()) -> Step {
        let is_due =
            |every: Option<u64>, count: u64| every.is_some_and(|n| count.is_multiple_of(n));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.connections > 0 && is_due(self.rotate_every, counts.connections) {
            rotate();
        }
        counts.connections += 1;
        counts.offers += u64::from(offers);
        Step {
            number: counts.connections,
            declines: offers && is_due(self.decline_every, counts.offers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_offers_count_for_declining() {
        let schedule = Schedule::new(Some(2), None);
        let offers = [false, true, true, false, true, true];
        let declined =
            offers.map(|offers| schedule.next(offers, || panic!("no rotation")).declines);
        assert_eq!(declined, [false, false, true, false, false, true]);
    }

    #[test]
    fn keys_rotate_after_every_third_connection() {
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
