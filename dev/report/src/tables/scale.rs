//! A store of a million servers.

use super::Table;
use crate::ScaleRow;

/// An operation a row; what the store takes stands below.
pub(super) fn table(rows: &[ScaleRow]) -> Table {
    let title = "A store of very many servers that evicts and sweeps: microseconds a call, and \
                 bytes.";
    let header = [
        "operation",
        "n",
        "median us",
        "p99",
        "p99.9",
        "p99.99",
        "longest",
    ];
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
            "{servers} servers; bytes: may take {budget}, counts {bytes_counted}, allocated \
             {bytes_allocated}"
        )
    }));
    table
}
