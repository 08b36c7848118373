//! What a report of one section looks like in a terminal.

use compare::environment;
use report::text::{self, Style};
use report::{Report, Section};

/// Fills a report and shows one section of it, which has to fit into 100 columns.
pub(crate) fn shown(section: Section, fill: impl FnOnce(&mut Report)) -> String {
    let mut report = Report::new(environment::detect(0));
    fill(&mut report);
    let shown = text::section(section, &report, Style::Terminal);
    assert!(
        shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );
    shown
}
