//! A report as text, for a terminal or a Markdown page.

mod environment;
mod style;

pub use self::environment::text as environment;
pub use self::style::Style;
pub use crate::tables::failures;
use crate::{Report, Section, caveats, summary, tables};

/// The whole report.
pub fn all(report: &Report, style: Style) -> String {
    let mut parts = vec![environment(&report.environment, style)];
    parts.extend(goals(report, style));
    for part in Section::ALL {
        parts.push(match report.skipped.get(part.as_str()) {
            Some(why) => style.line(&format!("skipped: {}: {why}", part.as_str())),
            None => section(part, report, style),
        });
    }
    if style == Style::Markdown {
        parts.push(caveats::markdown());
    }
    parts.join("\n\n")
}

/// The tables of one section.
pub fn section(section: Section, report: &Report, style: Style) -> String {
    let tables = tables::section(section, report);
    let shown: Vec<_> = tables.iter().map(|table| style.show(table)).collect();
    shown.join("\n\n")
}

/// The table of goals; `None` if the report has no numbers for any.
pub fn goals(report: &Report, style: Style) -> Option<String> {
    tables::goals(report).map(|table| style.show(&table))
}

/// The findings in at most three sentences, each on lines of its own.
pub fn findings(report: &Report, style: Style) -> String {
    let sentences = summary::sentences(report);
    let shown: Vec<_> = sentences.iter().map(|text| style.line(text)).collect();
    shown.join("\n")
}
