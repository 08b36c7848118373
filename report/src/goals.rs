//! What tls-resume sets out to reach, held against the numbers of a report: losses included.

mod sections;

use crate::Report;
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

/// All goals on which the report has numbers.
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
pub fn text(report: &Report, style: Style) -> Option<String> {
    let goals = of(report);
    let mut table = style.table(&["what", "goal", "measured", ""], 2);
    for goal in &goals {
        let reached = if goal.reached { "yes" } else { "NO" };
        table.add_row([&goal.what, &goal.wanted, &goal.found, reached]);
    }
    let reached = goals.iter().filter(|goal| goal.reached).count();
    let title = format!("Goals: {reached} of {} are reached.", goals.len());
    (!goals.is_empty()).then(|| style.titled(&title, table))
}
