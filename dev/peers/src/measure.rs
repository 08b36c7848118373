//! How things are measured here.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use pki_types::ServerName;

/// What some code allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// Allocations, also those that were freed again.
    pub count: u64,
    /// Bytes allocated less bytes freed, as they were asked for: what the allocator itself adds is
    /// not counted.
    pub bytes: i64,
}

/// Runs some code on this thread and tells what it allocated. The binary provides it: a library
/// has no allocator of its own.
pub type Meter = fn(&mut dyn FnMut()) -> Allocated;

/// The value in the middle; of an even number, the upper one of the two. Zero of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What reading the clock twice costs: the least of many, since all else is disturbance.
pub(crate) fn clock_cost() -> Duration {
    let once = || {
        let start = Instant::now();
        black_box(start).elapsed()
    };
    (0..1_000).map(|_| once()).min().unwrap_or_default()
}

/// Makes `n` names of servers, which begin alike as names do.
pub(crate) fn names(kind: &str, n: usize) -> Vec<ServerName<'static>> {
    (0..n)
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
    fn the_median_stands_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).abs() < f64::EPSILON);
    }

    #[test]
    fn names_are_distinct() {
        let names = names("host", 2);
        assert_eq!(names[1].to_str(), "host-0000001.example.com");
        assert_ne!(names[0], names[1]);
    }
}
