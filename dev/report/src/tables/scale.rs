//! The table of a very large store.

use super::Table;
use crate::ScaleRow;
use crate::number::fixed;

/// A row per operation; the store's size is in a note.
pub(super) fn table(rows: &[ScaleRow]) -> Table {
    let title = "Latency of a very large store, which evicts and sweeps. Empty loop: arithmetic \
                 that touches no memory, timed between the operations; its stalls are the \
                 machine's.";
    let header = [
        "operation",
        "calls",
        "median, us",
        "p99, us",
        "p99.9, us",
        "p99.99, us",
        "max, us",
        "p99.99 beyond the empty loop, us",
    ];
    let empty = rows.iter().find(|row| row.is_empty_loop());
    let mut table = Table::new(title, &header, 1);
    for row in rows {
        let us = |us: f64| format!("{us:.1}");
        table.row([
            row.op.clone(),
            row.n.to_string(),
            us(row.p50_us),
            us(row.p99_us),
            us(row.p99_9_us),
            us(row.p99_99_us),
            us(row.max_us),
            fixed(
                empty
                    .filter(|_| !row.is_empty_loop())
                    .map(|empty| row.p99_99_us - empty.p99_99_us),
                1,
            ),
        ]);
    }
    table.notes.extend(rows.first().map(|row| {
        let ScaleRow {
            servers,
            budget,
            bytes_counted,
            bytes_allocated,
            ..
        } = row;
        format!(
            "{servers} servers; bytes: limit {budget}, counted {bytes_counted}, allocated \
             {bytes_allocated}"
        )
    }));
    table
}
