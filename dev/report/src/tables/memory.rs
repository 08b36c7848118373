//! The table of sessions in memory.

use super::Table;
use super::table::Best;
use crate::MemoryRow;
use crate::number::fixed;

/// A row of the table for each of the report.
pub(super) fn table(rows: &[MemoryRow]) -> Table {
    let title = "Memory of a session with three certificates: in rustls's own cache, and in the \
                 store of tls-resume with each kind of session. Empty: the store with its default \
                 limits. Each: bytes per session. Counted: the same by the store's own count. \
                 After churn: after each session was used and replaced. Ratio: each / \
                 rustls-memory.";
    let header = [
        "TLS",
        "servers",
        "store, sessions",
        "empty, bytes",
        "sessions",
        "each, bytes",
        "counted, bytes",
        "after churn, bytes",
        "ratio",
    ];
    let mut table = Table::new(title, &header, 3);
    for row in rows {
        let store = if row.store == "rustls-memory" {
            row.store.clone()
        } else {
            format!("{}, {}", row.store, row.session)
        };
        table.row([
            row.protocol.replacen("TLS ", "", 1),
            row.servers.to_string(),
            store,
            row.bytes_empty.to_string(),
            row.sessions.to_string(),
            fixed(Some(row.bytes_per_session), 0),
            fixed(row.counted_per_session, 0),
            fixed(row.bytes_per_session_after_churn, 0),
            fixed(row.ratio_to_rustls_memory, 2),
        ]);
    }
    let legend = "the least with this TLS version and number of servers";
    for column in [5, 7, 8] {
        table.mark_best(column..column + 1, Best::Least, &[0, 1], legend, |_| true);
    }
    table
}
