//! R28: connections one after the other, with servers, pauses and clocks drawn at random.

use super::*;
use crate::Want;

const PAUSES: [u64; 5] = [1_000, 10_000, 700_000, 4_000_000, 200_000_000];
const FAILURES: [Outcome; 5] = [
    Outcome::Failed,
    Outcome::Rejected,
    Outcome::Broken,
    Outcome::Distrusted,
    Outcome::RejectedLate,
];

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_000_000) + Duration::from_millis(millis))
}

/// Numbers that look random, and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }

    /// The time between two connections, in milliseconds: from a moment to days.
    fn pause(&mut self) -> u64 {
        let longest = self.one_of(&PAUSES);
        self.below(longest)
    }
}

#[test]
fn no_two_connections_in_a_row_fail() {
    for seed in 1..2_000 {
        let mut random = Numbers::seeded(seed);
        let (breaks, is_down) = (random.below(101), random.below(30));
        let mut history = History::default();
        let (mut now, mut before) = (1_000, false);
        for connection in 0..200 {
            now += random.pause();
            if random.below(20) == 0 {
                now -= random.below(now.min(100_000_000)); // the clock is set back
            }
            let look_up = LookUp {
                want: Want::Any,
                reports: true,
            };
            let offers = history.may_offer(look_up, at(now));
            let doubtful = history.is_doubtful();
            let is_down = random.below(100) < is_down;
            let breaks = random.below(100) < breaks;
            let outcome = match (offers, is_down) {
                (true, true) => Outcome::Failed,
                (true, false) if breaks => random.one_of(&FAILURES),
                (true, false) => {
                    random.one_of(&[Outcome::Resumed, Outcome::Declined, Outcome::Cancelled])
                }
                (false, true) => Outcome::FullFailed,
                (false, false) => {
                    random.one_of(&[Outcome::Full, Outcome::Full, Outcome::FullFailed])
                }
            };
            if offers {
                history.offered(look_up, at(now));
            }
            if outcome == Outcome::RejectedLate {
                history.ended(Outcome::Resumed, doubtful, at(now));
            }
            history.ended(outcome, doubtful, at(now + 10));
            let fails = outcome.is_failed_offer();
            assert!(!(fails && before), "seed {seed}, connection {connection}");
            before = fails;
            if random.below(40) == 0 {
                let until = at(now + random.below(200_000_000));
                history.set_avoided(Avoided { until, times: 1 });
            }
        }
    }
}

/// The same of clients that report nothing, 250 ms apart at least.
#[test]
fn no_two_connections_in_a_row_fail_unreported() {
    for seed in 1..2_000 {
        let mut random = Numbers::seeded(seed);
        let (breaks, took) = (random.below(101), 1 + random.below(45));
        let look_up = LookUp {
            want: Want::SingleUseFirst,
            reports: false,
        };
        let mut history = History::default();
        history.may_offer(look_up, at(0));
        history.ended(Outcome::Succeeded, false, at(took));
        let (mut now, mut before) = (1_000, false);
        for connection in 0..200 {
            now += 250 + random.pause();
            let offers = history.may_offer(look_up, at(now));
            if offers {
                history.offered(look_up, at(now));
            }
            let fails = offers && random.below(100) < breaks;
            if !fails {
                history.ended(Outcome::Succeeded, false, at(now + took));
            }
            assert!(!(fails && before), "seed {seed}, connection {connection}");
            before = fails;
        }
    }
}
