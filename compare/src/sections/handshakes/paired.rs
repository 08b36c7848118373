//! How much longer one thing takes than another, when the difference is far below the noise.

use std::time::Duration;

/// The median of differences, and the interval that holds the true one 19 times of 20, in
/// nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The middle of the differences.
    pub median: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// Compares what was measured in the same rounds, so much of the one as of the other; `None` if
/// nothing was.
///
/// The machine's speed and what else runs on it change over seconds; two handshakes of one round
/// stand next to each other, so most of that falls out of their difference. What is left has long
/// tails (an interrupt hits one of the two), which move a mean and not a median. As the order within
/// a round is drawn by lot, two clients that do the same have differences that are symmetric about
/// zero: the median has no bias. Its interval needs no assumption on their distribution: the number
/// of differences below the true median is binomial, so two of the sorted ones enclose it.
pub fn paired(of: &[Duration], floor: &[Duration]) -> Option<Paired> {
    let mut differences: Vec<_> = of
        .iter()
        .zip(floor)
        .map(|(one, other)| nanoseconds(*one) - nanoseconds(*other))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let last = differences.len().checked_sub(1)?;
    // Half the width in ranks: 1.96 standard deviations of a fair coin's heads.
    let half = count(0.98 * root(differences.len()));
    let middle = last / 2;
    Some(Paired {
        median: f64::midpoint(differences[middle], differences[last - middle]),
        low: differences[middle.saturating_sub(half)],
        high: differences[(last - middle + half).min(last)],
    })
}

#[allow(clippy::cast_precision_loss)] // exact below 104 days
fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

#[allow(clippy::cast_precision_loss)] // some ten thousand
fn root(of: usize) -> f64 {
    (of as f64).sqrt()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small and positive
fn count(ranks: f64) -> usize {
    ranks.ceil() as usize
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_nanos).collect()
    }

    /// Numbers that jump about: the same in every run.
    fn noise(seed: u64) -> impl Iterator<Item = u64> {
        StdRng::seed_from_u64(seed)
            .random_iter::<u32>()
            .map(u64::from)
    }

    #[test]
    fn a_constant_difference_is_found_under_any_noise_that_both_share() {
        let floor = of(noise(1).take(999).map(|noise| noise % 1_000_000));
        let above = floor.iter().map(|us| *us + Duration::from_nanos(250));
        let found = paired(&above.collect::<Vec<_>>(), &floor).unwrap();
        assert_eq!((found.low, found.median, found.high), (250.0, 250.0, 250.0));
        let below = paired(&of([1, 1, 1]), &of([4, 4, 4])).unwrap();
        assert_eq!(below.median.to_bits(), (-3.0_f64).to_bits());
    }

    #[test]
    fn a_tenth_of_the_rounds_may_be_worth_nothing() {
        let disturbed =
            |every, by| of((0..1_000_u64).map(move |i| 500 + u64::from(i % every == 0) * by));
        let found = paired(&disturbed(10, 9_000_000), &disturbed(11, 3_000_000)).unwrap();
        assert_eq!((found.low, found.median, found.high), (0.0, 0.0, 0.0));
    }

    #[test]
    fn the_interval_holds_the_truth_about_19_times_of_20() {
        let held = (0..200_u64).filter(|seed| {
            let one = of(noise(seed * 2 + 1)
                .take(400)
                .map(|noise| 5_100 + noise % 2_000));
            let other = of(noise(seed * 2 + 2)
                .take(400)
                .map(|noise| 5_000 + noise % 2_000));
            let found = paired(&one, &other).unwrap();
            assert!(found.low <= found.median && found.median <= found.high);
            (found.low..=found.high).contains(&100.0)
        });
        let held = held.count();
        assert!((180..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn few_rounds_are_enclosed_by_all_that_there_is() {
        assert_eq!(paired(&[], &[]), None);
        let one = paired(&of([7]), &of([5])).unwrap();
        assert_eq!((one.low, one.median, one.high), (2.0, 2.0, 2.0));
        let two = paired(&of([7, 9]), &of([5, 1])).unwrap();
        assert_eq!((two.low, two.median, two.high), (2.0, 5.0, 8.0));
    }
}
