//! The table of hit rates.

use std::collections::BTreeMap;

use super::table::Best;
use super::{Table, is_reference};
use crate::HitRateRow;
use crate::number::megabytes;

/// A row per budget and store, a column per trace.
pub(super) fn table(rows: &[HitRateRow]) -> Table {
    let title = "Resumed connections of a trace in percent, for stores of equal size. -64, -8, -2: \
                 the limit of tickets per server. ceiling: an unbounded store.";
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

    let columns: Vec<_> = traces.iter().map(|trace| format!("{trace}, %")).collect();
    let mut header = vec!["MB", "store"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(title, &header, 2);
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
    table.mark_best(
        2..header.len(),
        Best::Greatest,
        &[0],
        "the best store of this size",
        |row| !is_reference(&row[1].text),
    );
    table
}
