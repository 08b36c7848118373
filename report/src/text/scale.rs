//! A store of a million servers.

use super::Style;
use crate::{Report, ScaleRow};

/// What the report has of it, for people to read.
pub(super) fn text(report: &Report, style: Style) -> String {
    let title = "A store of very many servers that evicts and sweeps: microseconds a call, and \
                 bytes.";
    style.titled(title, show(&report.scale, style))
}

/// The rows as a table.
fn show(rows: &[ScaleRow], style: Style) -> String {
    let header = [
        "operation",
        "n",
        "median us",
        "p99",
        "p99.9",
        "p99.99",
        "longest",
    ];
    let mut table = style.table(&header, 1);
    for row in rows {
        let us = |us: f64| format!("{us:.1}");
        table.add_row([
            row.op.clone(),
            row.n.to_string(),
            us(row.p50_us),
            us(row.p99_us),
            us(row.p99_9_us),
            us(row.p99_99_us),
            us(row.max_us),
        ]);
    }
    let bytes = rows.first().map_or_else(String::new, |row| {
        let ScaleRow {
            servers,
            budget,
            bytes_counted,
            bytes_allocated,
            ..
        } = row;
        format!(
            "{servers} servers; bytes: may take {budget}, counts {bytes_counted}, allocated \
             {bytes_allocated}\n"
        )
    });
    format!("{bytes}{table}")
}
