//! The difference between two times when it is far smaller than the noise.

use std::time::Duration;

/// The median of paired differences and its 95 % confidence interval, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The median.
    pub median: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// The difference `times - floor` of two series measured in the same rounds; `None` if there are
/// no rounds.
///
/// The machine's speed and load change over seconds. Two handshakes of one round are next to each
/// other, so most of that cancels in their difference. What remains has long tails (an interrupt
/// hits one of the two), which move a mean but not a median. The order within a round is random, so
/// two identical clients have differences that are symmetric about zero, and the median has no bias.
/// The interval assumes no distribution: the number of differences below the true median is
/// binomial, so two of the sorted differences enclose it.
pub fn paired(times: &[Duration], floor: &[Duration]) -> Option<Paired> {
    let mut differences: Vec<_> = times
        .iter()
        .zip(floor)
        .map(|(one, other)| nanoseconds(*one) - nanoseconds(*other))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let last = differences.len().checked_sub(1)?;
    // Half the width in ranks: 1.96 standard deviations of a fair coin's heads.
    let half = ceil(0.98 * sqrt(differences.len()));
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
fn sqrt(number: usize) -> f64 {
    (number as f64).sqrt()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small and positive
fn ceil(ranks: f64) -> usize {
    ranks.ceil() as usize
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn durations(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_nanos).collect()
    }

    /// Random numbers, the same in every run.
    fn noise(seed: u64) -> impl Iterator<Item = u64> {
        StdRng::seed_from_u64(seed)
            .random_iter::<u32>()
            .map(u64::from)
    }

    #[test]
    fn a_constant_difference_is_found_under_shared_noise() {
        let floor = durations(noise(1).take(999).map(|noise| noise % 1_000_000));
        let above = floor.iter().map(|us| *us + Duration::from_nanos(250));
        let found = paired(&above.collect::<Vec<_>>(), &floor).unwrap();
        assert_eq!((found.low, found.median, found.high), (250.0, 250.0, 250.0));
        let below = paired(&durations([1, 1, 1]), &durations([4, 4, 4])).unwrap();
        assert_eq!(below.median.to_bits(), (-3.0_f64).to_bits());
    }

    #[test]
    fn a_tenth_of_the_rounds_may_be_disturbed() {
        let disturbed = |every, by| {
            durations((0..1_000_u64).map(move |i| 500 + u64::from(i % every == 0) * by))
        };
        let found = paired(&disturbed(10, 9_000_000), &disturbed(11, 3_000_000)).unwrap();
        assert_eq!((found.low, found.median, found.high), (0.0, 0.0, 0.0));
    }

    #[test]
    fn the_interval_holds_the_true_difference_in_19_of_20_cases() {
        let held = (0..200_u64).filter(|seed| {
            let one = durations(
                noise(seed * 2 + 1)
                    .take(400)
                    .map(|noise| 5_100 + noise % 2_000),
            );
            let other = durations(
                noise(seed * 2 + 2)
                    .take(400)
                    .map(|noise| 5_000 + noise % 2_000),
            );
            let found = paired(&one, &other).unwrap();
            assert!(found.low <= found.median && found.median <= found.high);
            (found.low..=found.high).contains(&100.0)
        });
        let held = held.count();
        assert!((180..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn with_few_rounds_the_interval_spans_all_differences() {
        assert_eq!(paired(&[], &[]), None);
        let one = paired(&durations([7]), &durations([5])).unwrap();
        assert_eq!((one.low, one.median, one.high), (2.0, 2.0, 2.0));
        let two = paired(&durations([7, 9]), &durations([5, 1])).unwrap();
        assert_eq!((two.low, two.median, two.high), (2.0, 5.0, 8.0));
    }
}
