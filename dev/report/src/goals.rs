//! What tls-resume sets out to reach, held against the numbers of a report: losses included.

mod sections;

use crate::Report;
use crate::tables::Table;
use crate::text::Style;

/// A goal and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is measured.
    pub what: String,
    /// What it should be.
    pub wanted: String,
    /// What it is.
    pub found: String,
    /// Whether that is enough.
    pub reached: bool,
}

impl Goal {
    fn new(what: impl Into<String>, wanted: &str, found: String, reached: bool) -> Self {
        Self {
            what: what.into(),
            wanted: wanted.to_owned(),
            found,
            reached,
        }
    }
}

/// All goals on which the report has numbers. A row with an error has none, and no goal comes from
/// dividing by nothing.
pub fn of(report: &Report) -> Vec<Goal> {
    let Report {
        handshakes,
        store_ops,
        contention,
        hit_rate,
        burst,
        memory,
        scale,
        ..
    } = report;
    [
        sections::handshakes(handshakes),
        sections::hints(handshakes),
        sections::store_ops(store_ops),
        sections::contention(contention),
        sections::memory(memory),
        sections::hit_rate(hit_rate),
        sections::burst(burst),
        sections::scale(scale),
    ]
    .concat()
}

/// The goals as a table; nothing where there are none.
pub fn table(report: &Report) -> Option<Table> {
    let goals = of(report);
    let reached = goals.iter().filter(|goal| goal.reached).count();
    let rows = goals.iter().map(|goal| {
        let reached = if goal.reached { "yes" } else { "NO" };
        [goal.what.as_str(), &goal.wanted, &goal.found, reached]
            .map(str::to_owned)
            .into()
    });
    (!goals.is_empty()).then(|| Table {
        title: format!("Goals: {reached} of {} are reached.", goals.len()),
        head: ["what", "goal", "measured", ""].map(str::to_owned).into(),
        words: 2,
        rows: rows.collect(),
        notes: Vec::new(),
    })
}

/// The same for people to read.
pub fn text(report: &Report, style: Style) -> Option<String> {
    table(report).map(|table| style.show(&table))
}
