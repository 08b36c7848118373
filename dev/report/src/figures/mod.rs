//! What a report has, as charts: which rows are in which, and what is to be known about them.

mod burst;
mod contention;
mod handshakes;
mod hit_rate;
mod memory;
mod scale;
mod store_ops;
mod tiers;

use crate::chart::Chart;
use crate::{Report, Section};

pub(crate) use self::handshakes::overview;

/// The charts of a section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// What stands above them.
    pub(crate) lead: String,
    pub(crate) charts: Vec<Chart>,
    /// What stands below them, a paragraph each.
    pub(crate) notes: Vec<String>,
}

/// Those of one section. The rules have none.
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
        Section::Equivalence => Figures::default(),
    };
    figures.charts.retain(|chart| !chart.is_empty());
    figures
}

/// What is different, in the order in which it comes.
pub(crate) fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Numbers that are different, from the least.
fn rising(all: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut found: Vec<_> = all.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// A number of measurements, or the least and the greatest.
fn counts(all: impl Iterator<Item = u64>) -> String {
    use crate::chart::count;
    let all: Vec<_> = all.collect();
    match (all.iter().min(), all.iter().max()) {
        (Some(least), Some(most)) if least < most => {
            format!("n\u{a0}{} to {}", count(least), count(most))
        }
        (Some(each), _) => format!("n\u{a0}{}", count(each)),
        _ => String::new(),
    }
}

/// The same after something else, where it is known; `what` says what is counted.
fn counted(all: impl Iterator<Item = u64>, what: &str) -> String {
    let counts = counts(all);
    if counts.is_empty() {
        counts
    } else {
        format!("; {what}{counts}")
    }
}

/// A library, or a name of the report's, as it is written in a sentence.
pub(crate) fn name(backend: &str) -> &str {
    match backend {
        "openssl" => "OpenSSL",
        other => other,
    }
}
