//! A report for people to read, in a terminal or on a page in Markdown.

mod burst;
mod contention;
mod environment;
mod equivalence;
mod handshakes;
mod hit_rate;
mod memory;
mod scale;
mod store_ops;
mod table;
mod tiers;

pub use self::environment::text as environment;
pub use self::equivalence::failures;
pub use self::table::Style;
use crate::{Report, Section, goals};

/// All that the report has.
pub fn all(report: &Report, style: Style) -> String {
    let mut parts = vec![environment(&report.environment, style)];
    parts.extend(goals::text(report, style));
    for part in Section::ALL {
        parts.push(match report.skipped.get(part.as_str()) {
            Some(why) => format!("skipped: {}: {why}", part.as_str()),
            None => section(part, report, style),
        });
    }
    parts.join("\n\n")
}

/// What a report has of one section.
pub fn section(section: Section, report: &Report, style: Style) -> String {
    match section {
        Section::Handshakes => handshakes::text(report, style),
        Section::Store => store_ops::text(report, style),
        Section::Contention => contention::text(report, style),
        Section::HitRate => hit_rate::text(report, style),
        Section::Burst => burst::text(report, style),
        Section::Memory => memory::text(report, style),
        Section::Scale => scale::text(report, style),
        Section::Tiers => tiers::text(report, style),
        Section::Equivalence => equivalence::text(report, style),
    }
}
