//! What sessions take in memory.

use super::{Table, number};
use crate::MemoryRow;

/// A row of the table for each of the report.
pub(super) fn table(rows: &[MemoryRow]) -> Table {
    let title = "What a session takes in memory with three certificates, in bytes: in rustls's cache, and\n\
                 in the store of tls-resume with the sessions of each backend. Empty: the store by its\n\
                 own default. Used: after each was resumed and replaced. Ratio: to rustls-memory.";
    let header = [
        "version", "servers", "held by", "empty", "sessions", "each", "counted", "used", "ratio",
    ];
    let mut table = Table::new(title, &header, 3);
    for row in rows {
        let reference = row.store == "rustls-memory";
        let holder = if reference { &row.store } else { &row.session };
        table.row([
            row.protocol.clone(),
            row.servers.to_string(),
            holder.clone(),
            row.bytes_empty.to_string(),
            row.sessions.to_string(),
            number(Some(row.bytes_per_session), 0, ""),
            number(row.counted_per_session, 0, ""),
            number(row.bytes_per_session_after_churn, 0, ""),
            number(row.ratio_to_rustls_memory, 2, ""),
        ]);
    }
    table
}
