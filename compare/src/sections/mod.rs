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

use clap::ValueEnum;
use report::{Report, Section};

use crate::progress::Progress;
use crate::run::Run;

/// Measures or checks, and puts the rows into the report. Says what is not as it should be, a
/// line each.
pub(crate) fn run(
    section: Section,
    run: &Run,
    report: &mut Report,
    progress: &mut Progress,
) -> Vec<String> {
    match section {
        Section::Handshakes => handshakes::run(run, report, progress),
        Section::Store => store_ops::run(run, report, progress),
        Section::Contention => contention::run(run, report, progress),
        Section::HitRate => hit_rate::run(run, report, progress),
        Section::Burst => burst::run(run, report, progress),
        Section::Memory => memory::run(run, report, progress),
        Section::Scale => scale::run(run, report, progress),
        Section::Tiers => tiers::run(run, report, progress),
        Section::Equivalence => equivalence::run(run, report, progress),
    }
}

/// The name by which `--only` knows it.
pub(crate) fn name(section: Section) -> String {
    let value = section.to_possible_value();
    value.map_or_else(
        || section.as_str().to_owned(),
        |value| value.get_name().to_owned(),
    )
}
