//! The bursts.

use super::Table;
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
    let sizes: Vec<_> = rows
        .chunk_by(|one, next| line(one) == line(next))
        .next()
        .into_iter()
        .flatten()
        .map(|row| row.concurrency.to_string())
        .collect();
    let left = ["client", "version", "tickets", "store"];
    let header: Vec<_> = left
        .into_iter()
        .chain(sizes.iter().map(String::as_str))
        .collect();
    let mut table = Table::new(title, &header, left.len());
    for rows in rows.chunk_by(|one, next| line(one) == line(next)) {
        let rates = rows.iter().map(|row| match row.error {
            None => format!("{:.1}", row.resumed_rate * 100.0),
            Some(_) => "-".to_owned(),
        });
        table.row(line(&rows[0]).into_iter().chain(rates));
    }
    table
        .notes
        .push("tickets: after a full handshake, after a resumed one".to_owned());
    table
}
