//! What one operation on a store costs.

use std::collections::BTreeMap;

use super::Style;
use crate::{Report, StoreOpRow};

/// What the report has of it, for people to read.
pub(super) fn text(report: &Report, style: Style) -> String {
    let title = "One operation on a store, one thread: nanoseconds, and in brackets allocations.";
    style.titled(title, show(&report.store_ops, style))
}

/// The rows as a table: a line for each operation, a column for each store.
fn show(rows: &[StoreOpRow], style: Style) -> String {
    let mut stores: Vec<&str> = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut cells = BTreeMap::new();
    for row in rows {
        if !stores.contains(&row.store.as_str()) {
            stores.push(&row.store);
        }
        let line = (row.servers, row.op.as_str());
        if !lines.contains(&line) {
            lines.push(line);
        }
        let allocations = row.allocations.unwrap_or_default();
        let cell = format!("{:.0} ({allocations:.1})", row.ns_median);
        cells.insert((line, row.store.as_str()), cell);
    }
    let mut header = vec!["servers", "operation"];
    header.extend(&stores);
    let mut table = style.table(&header, 2);
    for line in lines {
        let mut row = vec![line.0.to_string(), line.1.to_owned()];
        row.extend(stores.iter().map(|store| {
            let cell = cells.get(&(line, *store)).cloned();
            cell.unwrap_or_else(|| "-".to_owned())
        }));
        table.add_row(row);
    }
    table.to_string()
}
