//! Scales and axes.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::unit;
use crate::number::tick;

/// The scale of an axis. Charts to be compared have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Logarithmic, for positive values.
    Log,
    /// From 0 to 100.
    Percent,
}

/// Caption of a logarithmic axis.
pub(super) const LOG_SCALE: &str = "log scale";

impl Scale {
    /// The scale for several charts: logarithmic if all values are positive and those of one chart
    /// differ by more than a factor of 10, else linear.
    pub(crate) fn of<T: Iterator<Item = f64>>(charts: impl IntoIterator<Item = T>) -> Self {
        let mut is_far = false;
        for chart in charts {
            let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
            for value in chart {
                (low, high) = (low.min(value), high.max(value));
            }
            if low <= 0.0 {
                return Self::Linear;
            }
            is_far |= high / low > 10.0;
        }
        if is_far { Self::Log } else { Self::Linear }
    }
}

/// An axis with its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) ticks: Vec<f64>,
    pub(super) log: bool,
}

impl Axis {
    /// A linear axis from zero, or from the least value if negative, to the greatest value, with
    /// round numbers as ticks.
    pub(super) fn linear(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(0.0, f64::min);
        let high = values.fold(0.0, f64::max);
        let high = if high > low { high } else { low + 1.0 };
        let raw = (high - low) / 4.0;
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|times| times * power)
            .into_iter()
            .find(|step| *step >= raw)
            .unwrap_or(raw);
        let first = (low / step).floor();
        let ticks: Vec<_> = (0..12)
            .map(|tick| (first + f64::from(tick)) * step)
            .take_while(|tick| *tick < high + step * 0.999)
            .collect();
        Self {
            from: first * step,
            to: ticks.last().copied().unwrap_or(high),
            ticks,
            log: false,
        }
    }

    /// A logarithmic axis around positive values, with a tick at each power of ten.
    pub(super) fn log(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(0.0, f64::max).log10().ceil();
        let high = if high > low { high } else { low + 1.0 };
        let ticks: Vec<_> = (0..40)
            .map(|tick| low + f64::from(tick))
            .take_while(|tick| *tick <= high)
            .map(|tick| 10_f64.powf(tick))
            .collect();
        Self {
            from: 10_f64.powf(low),
            to: ticks.last().copied().unwrap_or(1.0),
            ticks,
            log: true,
        }
    }

    /// The axis of this scale that contains the values.
    pub(super) fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        match scale {
            Scale::Linear => Self::linear(values),
            Scale::Log => Self::log(values),
            Scale::Percent => Self::linear([0.0, 100.0].into_iter()),
        }
    }

    /// Removes ticks until at most `limit` are left.
    pub(super) fn thin(&mut self, limit: usize) {
        let every = self.ticks.len().div_ceil(limit.max(1)).max(1);
        let mut at = 0..;
        self.ticks
            .retain(|_| at.next().is_some_and(|at| at % every == 0));
    }

    /// The value, or its logarithm on a logarithmic axis.
    fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let [value, from, to] = [*value, self.from, self.to].map(|value| self.position(value));
        let part = ((value - from) / (to - from)).clamp(0.0, 1.0);
        first + unit(part * f64::from(last - first))
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        tick(*value)
    }
}

/// An axis of equidistant labelled steps.
#[derive(Clone, Debug)]
pub(super) struct Steps(pub(super) Vec<String>);

impl Ranged for Steps {
    type FormatOption = NoDefaultFormatting;
    type ValueType = usize;

    fn map(&self, step: &usize, (first, last): (i32, i32)) -> i32 {
        let [step, steps] = [*step, self.0.len()].map(|count| u32::try_from(count).unwrap_or(0));
        // With a margin at both ends.
        let part = (f64::from(step) + 0.2) / (f64::from(steps) - 0.6).max(0.4);
        first + unit(part.clamp(0.0, 1.0) * f64::from(last - first))
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<usize> {
        (0..self.0.len()).collect()
    }

    fn range(&self) -> Range<usize> {
        0..self.0.len()
    }
}

impl ValueFormatter<usize> for Steps {
    fn format_ext(&self, step: &usize) -> String {
        self.0.get(*step).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_contains_its_values() {
        for values in [
            &[0.0, 513.0][..],
            &[-181.0, 12.0],
            &[0.0],
            &[],
            &[1e300, 1.0],
        ] {
            let axis = Axis::linear(values.iter().copied());
            assert!(axis.ticks.len() >= 2 && axis.ticks.len() <= 8, "{axis:?}");
            assert!(
                values
                    .iter()
                    .all(|value| (axis.from..=axis.to).contains(value)),
                "{axis:?}"
            );
        }
        let axis = Axis::of(Scale::Log, [2.0, 61_000.0].into_iter());
        assert_eq!(axis.ticks, [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert_eq!(axis.map(&100.0, (0, 500)), 200);
        assert_eq!(axis.map(&100.0, (500, 0)), 300);
        let mut thin = axis.clone();
        thin.thin(3);
        assert_eq!(thin.ticks, [1.0, 100.0, 10_000.0]);
    }

    #[test]
    fn charts_with_distant_values_have_a_log_scale() {
        for (charts, scale) in [
            (&[&[1.0, 2.0][..], &[3.0, 29.0]][..], Scale::Linear),
            (&[&[1.0, 2.0], &[0.3, 50.0]], Scale::Log),
            (&[&[0.0, 61_000.0]], Scale::Linear),
            (&[&[1.0, 61_000.0], &[-1.0]], Scale::Linear),
            (&[&[]], Scale::Linear),
        ] {
            let values = charts.iter().map(|chart| chart.iter().copied());
            assert_eq!(Scale::of(values), scale, "{charts:?}");
        }
    }
}
