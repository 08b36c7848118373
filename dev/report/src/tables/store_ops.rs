//! What one operation on a store costs.

use std::collections::BTreeMap;

use super::Table;
use crate::StoreOpRow;

/// A line for each operation, a column for each store.
pub(super) fn table(rows: &[StoreOpRow]) -> Table {
    let title = "One operation on a store, one thread: nanoseconds, and in brackets allocations.";
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
        let allocations = row.allocations.map(|count| format!(" ({count:.1})"));
        let cell = format!("{:.0}{}", row.ns_median, allocations.unwrap_or_default());
        cells.insert((line, row.store.as_str()), cell);
    }
    let mut header = vec!["servers", "operation"];
    header.extend(&stores);
    let mut table = Table::new(title, &header, 2);
    for line in lines {
        let mut row = vec![line.0.to_string(), line.1.to_owned()];
        row.extend(stores.iter().map(|store| {
            let cell = cells.get(&(line, *store)).cloned();
            cell.unwrap_or_else(|| "-".to_owned())
        }));
        table.row(row);
    }
    table
}
