//! How often a session is there when it is needed.

use std::collections::BTreeMap;

use super::{Table, megabytes};
use crate::HitRateRow;

/// A line for each store with each budget, a column for each trace.
pub(super) fn table(rows: &[HitRateRow]) -> Table {
    let title = "Connections that are resumed, in percent, with stores of equal bytes. -64, -8, \
                 -2: the most\ntickets of a server. ceiling: a store that forgets nothing but \
                 what has expired.";
    let mut traces: Vec<&str> = Vec::new();
    let mut stores: Vec<&str> = Vec::new();
    let mut percent = BTreeMap::new();
    for row in rows {
        if !traces.contains(&row.trace.as_str()) {
            traces.push(&row.trace);
        }
        if !stores.contains(&row.store.as_str()) {
            stores.push(&row.store);
        }
        let cell = format!("{:.2}", 100.0 * row.rate);
        percent.insert((row.budget, row.store.as_str(), row.trace.as_str()), cell);
    }
    let mut budgets: Vec<_> = rows.iter().map(|row| row.budget).collect();
    budgets.sort_unstable();
    budgets.dedup();

    let mut table = Table::new(title, &[&["MB", "store"], traces.as_slice()].concat(), 2);
    for budget in budgets {
        for store in &stores {
            let cell = |trace: &&str| {
                let cell = percent.get(&(budget, *store, *trace));
                cell.map_or("-", String::as_str).to_owned()
            };
            let mut cells = vec![megabytes(budget), (*store).to_owned()];
            cells.extend(traces.iter().map(cell));
            table.row(cells);
        }
    }
    table
}
