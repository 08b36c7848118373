//! The text of one section in a terminal.

use compare::environment;
use report::text::{self, Style};
use report::{Report, Section};

/// The text of `section` in a report that `fill` fills. Asserts that it fits 100 columns.
pub(crate) fn terminal_text(section: Section, fill: impl FnOnce(&mut Report)) -> String {
    let mut report = Report::new(environment::detect(0, false));
    fill(&mut report);
    let text = text::section(section, &report, Style::Terminal);
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    text
}
