//! The parts of a run: each measures or checks one thing and gives rows for the report.

pub mod burst;
pub mod contention;
pub mod equivalence;
pub mod handshake_threads;
pub mod handshakes;
pub mod hit_rate;
pub mod memory;
pub mod scale;
pub mod store_ops;
pub mod tiers;

use report::{Report, Section};

use crate::cli::RunOptions;

/// Measures or checks, and puts the rows into the report. Says what is not as it should be, a
/// line each.
pub fn run(section: Section, options: &RunOptions, report: &mut Report) -> Vec<String> {
    match section {
        Section::Handshakes => handshakes::run(options, report),
        Section::Store => store_ops::run(options, report),
        Section::Contention => contention::run(options, report),
        Section::HitRate => hit_rate::run(options, report),
        Section::Burst => burst::run(options, report),
        Section::Memory => memory::run(options, report),
        Section::Scale => scale::run(options, report),
        Section::Tiers => tiers::run(options, report),
        Section::Equivalence => equivalence::run(options, report),
    }
}
