//! Many measurements of one thing, and the three numbers that stand for them.

use std::time::Duration;

use report::Quantiles;

/// Durations of one kind.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Adds a measurement.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The three numbers; `None` of an empty sample.
    pub fn quantiles(mut self) -> Option<Quantiles> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_unstable();
        Some(Quantiles {
            median: self.at(50),
            p10: self.at(10),
            p90: self.at(90),
        })
    }

    /// The middle, and where the highest hundredth begins, in microseconds; `None` of an empty
    /// sample.
    pub fn median_and_p99(mut self) -> Option<(f64, f64)> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_unstable();
        Some((self.at(50), self.at(99)))
    }

    /// The measurement that stands at so many hundredths of the sorted sample, in microseconds.
    fn at(&self, percent: usize) -> f64 {
        let index = (self.0.len() - 1) * percent / 100;
        microseconds(self.0[index])
    }
}

/// To the nanosecond and no further, so that a report reads well and is read back as it was.
#[allow(clippy::cast_precision_loss)] // exact below 104 days
fn microseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_stand_where_they_should() {
        let mut sample = Sample::default();
        for us in (1..=101).rev() {
            sample.push(Duration::from_micros(us));
        }
        let quantiles = sample.clone().quantiles().unwrap();
        for (found, wanted) in [
            (quantiles.p10, 11.0),
            (quantiles.median, 51.0),
            (quantiles.p90, 91.0),
        ] {
            assert!((found - wanted).abs() < 1e-9, "{quantiles:?}");
        }
        let (median, p99) = sample.median_and_p99().unwrap();
        assert!((median - 51.0).abs() < 1e-9 && (p99 - 100.0).abs() < 1e-9);
    }

    #[test]
    fn one_measurement_is_all_three_and_none_is_nothing() {
        let mut sample = Sample::default();
        assert!(sample.is_empty());
        assert_eq!(sample.clone().quantiles(), None);
        assert_eq!(sample.clone().median_and_p99(), None);
        sample.push(Duration::from_micros(7));
        assert_eq!(sample.len(), 1);
        let quantiles = sample.quantiles().unwrap();
        assert_eq!(quantiles.median.to_bits(), quantiles.p90.to_bits());
    }
}
