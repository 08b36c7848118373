//! The rows of a report as tables, for terminals, Markdown and HTML.

mod burst;
mod contention;
mod equivalence;
mod fleet;
mod goals;
mod handshakes;
mod hit_rate;
mod memory;
mod scale;
mod store_ops;
mod table;
mod tiers;

pub use self::equivalence::failures;
pub(crate) use self::equivalence::{BACKENDS, label};
pub use self::goals::table as goals;
pub use self::table::{Cell, Table};
use crate::{Report, Section};

/// The tables of a section.
pub fn section(section: Section, report: &Report) -> Vec<Table> {
    let cores = report.environment.cores;
    match section {
        Section::Handshakes => handshakes::tables(&report.handshakes),
        Section::Store => store_ops::tables(&report.store_ops),
        Section::Contention => contention::tables(&report.contention, cores),
        Section::HitRate => vec![hit_rate::table(&report.hit_rate)],
        Section::Burst => burst::tables(&report.burst),
        Section::Memory => vec![memory::table(&report.memory)],
        Section::Scale => vec![scale::table(&report.scale)],
        Section::Tiers => vec![tiers::table(report)],
        Section::Fleet => fleet::tables(report),
        Section::Equivalence => vec![equivalence::table(&report.equivalence)],
    }
}

/// Whether the name is that of a reference (`in-hand`, `ceiling`) and not of a store.
fn is_reference(store: &str) -> bool {
    ["in-hand", "ceiling"].contains(&store)
}
