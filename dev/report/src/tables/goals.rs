//! The table of goals.

use super::Table;
use crate::{Report, goals};

/// The goals with their results; `None` if the report has no numbers for any.
pub fn table(report: &Report) -> Option<Table> {
    let goals = goals::evaluate(report);
    if goals.is_empty() {
        return None;
    }
    let reached = goals.iter().filter(|goal| goal.reached).count();
    let title = format!("Goals: {reached} of {} are reached.", goals.len());
    let mut table = Table::new(title, &["what", "goal", "measured", "reached"], 2);
    for goal in goals {
        let reached = if goal.reached { "yes" } else { "NO" };
        table.row([goal.metric, goal.target, goal.measured, reached.to_owned()]);
    }
    Some(table)
}
