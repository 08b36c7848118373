//! Helpers of the measurements: medians, the clock's cost, server names.

use std::fmt;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use pki_types::ServerName;

/// Heap use of a piece of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// Allocations, including those already freed.
    pub count: u64,
    /// Bytes allocated less bytes freed, as requested: without the allocator's overhead.
    pub bytes: i64,
}

/// Runs code on this thread and counts what it allocates. Provided by the binary, which owns the
/// global allocator.
pub type Meter = fn(&mut dyn FnMut()) -> Allocated;

/// The median; the upper one of two middle values, and zero for an empty vector.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The time that two clock readings take: the minimum of many, which excludes interruptions.
pub(crate) fn clock_cost() -> Duration {
    let once = || {
        let start = Instant::now();
        black_box(start).elapsed()
    };
    (0..1_000).map(|_| once()).min().unwrap_or_default()
}

/// Creates `n` server names with a common prefix, as real names have.
pub(crate) fn names(kind: &str, n: usize) -> Vec<ServerName<'static>> {
    numbered_names(kind, 0..n)
}

/// Creates the server names with these numbers.
pub(crate) fn numbered_names(kind: &str, numbers: Range<usize>) -> Vec<ServerName<'static>> {
    numbers
        .map(|n| name(format_args!("{kind}-{n:07}")))
        .collect()
}

fn name(first_label: fmt::Arguments<'_>) -> ServerName<'static> {
    ServerName::try_from(format!("{first_label}.example.com")).expect("letters, digits and dots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).abs() < f64::EPSILON);
    }

    #[test]
    fn names_are_distinct() {
        let two = names("host", 2);
        assert_eq!(two[1].to_str(), "host-0000001.example.com");
        assert_ne!(two[0], two[1]);
        assert_eq!(numbered_names("host", 1..2), two[1..]);
    }
}
