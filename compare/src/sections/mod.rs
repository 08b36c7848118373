//! The sections of a run. Each measures or checks one thing and adds rows to the report.

pub mod burst;
pub mod contention;
pub mod equivalence;
pub mod fleet;
pub mod handshake_threads;
pub mod handshakes;
pub mod hit_rate;
pub mod memory;
mod options;
pub mod scale;
pub mod store_ops;
pub mod tiers;
mod workers;

use report::{Report, Section};

pub(crate) use self::options::Options;
use crate::progress::Progress;

/// Runs a section and adds its rows to the report. Returns what failed, a line each.
pub(crate) fn run(
    section: Section,
    options: &Options,
    report: &mut Report,
    progress: &mut Progress,
) -> Vec<String> {
    match section {
        Section::Handshakes => handshakes::run(options, report, progress),
        Section::Store => store_ops::run(options, report, progress),
        Section::Contention => contention::run(options, report, progress),
        Section::HitRate => hit_rate::run(options, report, progress),
        Section::Burst => burst::run(options, report, progress),
        Section::Memory => memory::run(options, report, progress),
        Section::Scale => scale::run(options, report, progress),
        Section::Tiers => tiers::run(options, report, progress),
        Section::Fleet => fleet::run(options, report, progress),
        Section::Equivalence => equivalence::run(report, progress),
    }
}
