//! The rows of a report as charts, with explanations.

mod burst;
mod contention;
mod fleet;
mod handshakes;
mod hit_rate;
mod memory;
mod scale;
mod store_ops;
mod tiers;

use crate::chart::Chart;
use crate::{Report, Section};

pub(crate) use self::handshakes::overview;

/// The charts of a section, with their texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Text above the charts.
    pub(crate) lead: String,
    pub(crate) charts: Vec<Chart>,
    /// Paragraphs below the charts.
    pub(crate) notes: Vec<String>,
}

/// The charts of a section. The rules have none.
pub(crate) fn section(section: Section, report: &Report) -> Figures {
    let mut figures = match section {
        Section::Handshakes => handshakes::figures(&report.handshakes),
        Section::Store => store_ops::figures(&report.store_ops),
        Section::Contention => contention::figures(&report.contention, report.environment.cores),
        Section::HitRate => hit_rate::figures(&report.hit_rate),
        Section::Burst => burst::figures(&report.burst),
        Section::Memory => memory::figures(&report.memory),
        Section::Scale => scale::figures(&report.scale),
        Section::Tiers => tiers::figures(report),
        Section::Fleet => fleet::figures(report),
        Section::Equivalence => Figures::default(),
    };
    figures.charts.retain(|chart| !chart.is_empty());
    figures
}

/// The distinct elements in order of first occurrence.
pub(crate) fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// The distinct numbers in ascending order.
fn rising(all: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut found: Vec<_> = all.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The number of measurements, or its range, as text.
fn counts(all: impl Iterator<Item = u64>) -> String {
    use crate::number::count;
    let all: Vec<_> = all.collect();
    match (all.iter().min(), all.iter().max()) {
        (Some(least), Some(greatest)) if least < greatest => {
            format!("n\u{a0}{} to {}", count(least), count(greatest))
        }
        (Some(each), _) => format!("n\u{a0}{}", count(each)),
        _ => String::new(),
    }
}

/// As [`counts`], after a separator and a noun; empty if there are none.
fn counted(all: impl Iterator<Item = u64>, noun: &str) -> String {
    let counts = counts(all);
    if counts.is_empty() {
        counts
    } else {
        format!("; {noun}{counts}")
    }
}

/// The spelling of a backend's name in a sentence.
pub(crate) fn name(backend: &str) -> &str {
    match backend {
        "openssl" => "OpenSSL",
        other => other,
    }
}
