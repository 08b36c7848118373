//! A report for people to read, in a terminal or on a page in Markdown.

mod environment;
mod table;

pub use self::environment::text as environment;
pub use self::table::Style;
pub use crate::tables::failures;
use crate::{Report, Section, bias, goals, tables};

/// All that the report has.
pub fn all(report: &Report, style: Style) -> String {
    let mut parts = vec![environment(&report.environment, style)];
    parts.extend(goals::text(report, style));
    for part in Section::ALL {
        parts.push(match report.skipped.get(part.as_str()) {
            Some(why) => style.line(&format!("skipped: {}: {why}", part.as_str())),
            None => section(part, report, style),
        });
    }
    if style == Style::Markdown {
        parts.push(bias::markdown());
    }
    parts.join("\n\n")
}

/// What a report has of one section.
pub fn section(section: Section, report: &Report, style: Style) -> String {
    let tables = tables::section(section, report);
    let shown: Vec<_> = tables.iter().map(|table| style.show(table)).collect();
    shown.join("\n\n")
}
