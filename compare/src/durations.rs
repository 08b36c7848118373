//! Durations and their quantiles.

use std::time::Duration;

use report::Quantiles;

/// Measured durations of one operation.
#[derive(Clone, Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Adds a measurement.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// The number of durations.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Median, 10th and 90th percentile; `None` if there are no durations.
    pub fn quantiles(mut self) -> Option<Quantiles> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_unstable();
        Some(Quantiles {
            median: self.percentile(50),
            p10: self.percentile(10),
            p90: self.percentile(90),
        })
    }

    /// Median and 99th percentile, in microseconds; `None` if there are no durations.
    pub fn median_and_p99(mut self) -> Option<(f64, f64)> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_unstable();
        Some((self.percentile(50), self.percentile(99)))
    }

    /// A percentile of sorted durations, in microseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let index = (self.0.len() - 1) * percent / 100;
        microseconds(self.0[index])
    }
}

/// Rounded to the nanosecond, so that a report is read back as it was.
#[allow(clippy::cast_precision_loss)] // exact below 104 days
fn microseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_durations() {
        let mut durations = Durations::default();
        for us in (1..=101).rev() {
            durations.push(Duration::from_micros(us));
        }
        let quantiles = durations.clone().quantiles().unwrap();
        for (found, wanted) in [
            (quantiles.p10, 11.0),
            (quantiles.median, 51.0),
            (quantiles.p90, 91.0),
        ] {
            assert!((found - wanted).abs() < 1e-9, "{quantiles:?}");
        }
        let (median, p99) = durations.median_and_p99().unwrap();
        assert!((median - 51.0).abs() < 1e-9 && (p99 - 100.0).abs() < 1e-9);
    }

    #[test]
    fn one_duration_is_every_quantile_and_none_has_no_quantiles() {
        let mut durations = Durations::default();
        assert!(durations.is_empty());
        assert_eq!(durations.clone().quantiles(), None);
        assert_eq!(durations.clone().median_and_p99(), None);
        durations.push(Duration::from_micros(7));
        assert_eq!(durations.len(), 1);
        let quantiles = durations.quantiles().unwrap();
        assert_eq!(quantiles.median.to_bits(), quantiles.p90.to_bits());
    }
}
