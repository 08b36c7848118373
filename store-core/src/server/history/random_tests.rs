//! R28: connections one after the other, with servers, pauses and clocks drawn at random.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

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

/// Numbers that are the same in each run.
fn seeded(seed: u64) -> TestRng {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    TestRng::from_seed(RngAlgorithm::XorShift, &bytes)
}

/// The time between two connections, in milliseconds: from a moment to days.
fn pause(random: &mut TestRng) -> u64 {
    let longest = one_of(random, &PAUSES);
    random.random_range(0..longest)
}

fn one_of<T: Copy>(random: &mut TestRng, values: &[T]) -> T {
    values[random.random_range(0..values.len())]
}

#[test]
fn no_two_connections_in_a_row_fail() {
    no_two_fail(false);
}

#[test]
fn no_two_connections_in_a_row_fail_in_short_processes() {
    no_two_fail(true);
}

/// With `processes`, some connections are the first of a new process, which learns what the last one told.
fn no_two_fail(processes: bool) {
    for seed in 1..2_000 {
        let mut random = seeded(seed);
        let (breaks, is_down) = (random.random_range(0..101), random.random_range(0..30));
        let mut history = History::default();
        let (mut now, mut before) = (1_000, false);
        for connection in 0..200 {
            now += pause(&mut random);
            if random.random_range(0..20) == 0 {
                now -= random.random_range(0..now.min(100_000_000)); // the clock is set back
            }
            let look_up = Want::Any.into();
            let offers = history.may_offer(look_up, at(now));
            let doubtful = history.is_doubtful();
            let is_down = random.random_range(0..100) < is_down;
            let breaks = random.random_range(0..100) < breaks;
            let outcome = match (offers, is_down) {
                (true, true) => Outcome::Failed,
                (true, false) if breaks => one_of(&mut random, &FAILURES),
                (true, false) => one_of(
                    &mut random,
                    &[Outcome::Resumed, Outcome::Declined, Outcome::Cancelled],
                ),
                (false, true) => Outcome::FullFailed,
                (false, false) => one_of(
                    &mut random,
                    &[Outcome::Full, Outcome::Full, Outcome::FullFailed],
                ),
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
            if processes && random.random_range(0..3) > 0 {
                history = History::told(history.standing());
            }
        }
    }
}

/// The same of clients that report nothing, 250 ms apart at least.
#[test]
fn no_two_connections_in_a_row_fail_unreported() {
    for seed in 1..2_000 {
        let mut random = seeded(seed);
        let (breaks, took) = (random.random_range(0..101), 1 + random.random_range(0..45));
        let look_up = LookUp {
            reports: false,
            ..Want::SingleUseFirst.into()
        };
        let mut history = History::default();
        history.may_offer(look_up, at(0));
        history.ended(Outcome::Succeeded, false, at(took));
        let (mut now, mut before) = (1_000, false);
        for connection in 0..200 {
            now += 250 + pause(&mut random);
            let offers = history.may_offer(look_up, at(now));
            if offers {
                history.offered(look_up, at(now));
            }
            let fails = offers && random.random_range(0..100) < breaks;
            if !fails {
                history.ended(Outcome::Succeeded, false, at(now + took));
            }
            assert!(!(fails && before), "seed {seed}, connection {connection}");
            before = fails;
        }
    }
}
