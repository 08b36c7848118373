//! The tables of single operations on a store.

use super::Table;
use super::table::Best;
use crate::StoreOpRow;
use crate::number::fixed;

const LEGEND: &str = "the best store with this number of servers";

/// Tables of times and of allocations, with a row per store and a column per operation; and one of
/// the bytes that a server takes.
pub(super) fn tables(rows: &[StoreOpRow]) -> Vec<Table> {
    let times = table(
        rows,
        "Time of one operation on a store, by one thread, with a number of servers in the store.",
        "ns",
        |row| Some(format!("{:.0}", row.ns_median)),
    );
    let mut tables = vec![times];
    if rows.iter().any(|row| row.allocations.is_some()) {
        let title = "Mean number of allocations of one operation.";
        let count = |row: &StoreOpRow| row.allocations.map(|count| fixed(Some(count), 1));
        tables.push(table(rows, title, "", count));
    }
    if rows.iter().any(|row| row.bytes_per_server.is_some()) {
        tables.push(bytes(rows));
    }
    tables
}

fn bytes(rows: &[StoreOpRow]) -> Table {
    let title = "Bytes allocated for a store and its content, per server, beside the time of a \
                 put. Each server has one ticket; the certificates and secrets that it points to \
                 are not counted. The store has room for twice as many servers, at least 2,000.";
    let header = ["servers", "store", "put, ns", "bytes per server"];
    let mut table = Table::new(title, &header, 2);
    for row in rows {
        if let Some(bytes) = row.bytes_per_server {
            table.row([
                row.servers.to_string(),
                row.store.clone(),
                format!("{:.0}", row.ns_median),
                format!("{bytes:.0}"),
            ]);
        }
    }
    table.mark_best(2..4, Best::Least, &[0], LEGEND, |_| true);
    table
}

fn table(
    rows: &[StoreOpRow],
    title: &str,
    unit: &str,
    value: impl Fn(&StoreOpRow) -> Option<String>,
) -> Table {
    let mut ops: Vec<&str> = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for row in rows {
        if !ops.contains(&row.op.as_str()) {
            ops.push(&row.op);
        }
        let line = (row.servers, row.store.as_str());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let columns: Vec<_> = ops
        .iter()
        .map(|op| match unit {
            "" => display_name(op),
            unit => format!("{}, {unit}", display_name(op)),
        })
        .collect();
    let mut header = vec!["servers", "store"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(title, &header, 2);
    for (servers, store) in lines {
        let mut cells = vec![servers.to_string(), store.to_owned()];
        cells.extend(ops.iter().map(|op| {
            let is_it = |row: &&StoreOpRow| {
                (row.servers, row.store.as_str(), row.op.as_str()) == (servers, store, *op)
            };
            let value = rows.iter().find(is_it).and_then(&value);
            value.unwrap_or_else(|| "-".to_owned())
        }));
        table.row(cells);
    }
    table.mark_best(2..header.len(), Best::Least, &[0], LEGEND, |_| true);
    table
}

/// The operation's name with spaces, at which a header may be broken.
fn display_name(op: &str) -> String {
    op.replace('_', " ")
}
