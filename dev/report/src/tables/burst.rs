//! The bursts.

use std::collections::BTreeSet;

use super::{Table, number};
use crate::BurstRow;

/// A line for each store and server, a column for each size of a burst.
pub(super) fn table(rows: &[BurstRow]) -> Table {
    let title = "Connections that begin together: the part that is resumed, in percent, by the \
                 server's word.";
    let line = |row: &BurstRow| {
        let (full, resumed) = row.tickets;
        [
            row.backend.clone(),
            row.protocol.clone(),
            format!("{full}, {resumed}"),
            row.store.clone(),
        ]
    };
    let sizes: BTreeSet<_> = rows.iter().map(|row| row.concurrency).collect();
    let columns: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let left = ["client", "version", "tickets", "store"];
    let header: Vec<_> = left
        .into_iter()
        .chain(columns.iter().map(String::as_str))
        .collect();
    let mut table = Table::new(title, &header, left.len());
    for rows in rows.chunk_by(|one, next| line(one) == line(next)) {
        let rates = sizes.iter().map(|size| {
            let row = rows.iter().find(|row| row.concurrency == *size);
            let rate = row.filter(|row| row.error.is_none());
            number(rate.map(|row| row.resumed_rate * 100.0), 1, "")
        });
        table.row(line(&rows[0]).into_iter().chain(rates));
    }
    table
        .notes
        .push("tickets: after a full handshake, after a resumed one".to_owned());
    table
}
