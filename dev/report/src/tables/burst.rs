//! The tables of bursts.

use std::collections::BTreeSet;

use super::table::Best;
use super::{Table, is_reference};
use crate::BurstRow;
use crate::number::fixed;

/// A table per client and server, with a row per store and a column per size of the burst.
pub(super) fn tables(rows: &[BurstRow]) -> Vec<Table> {
    let scenario = |row: &BurstRow| (row.backend.clone(), row.protocol.clone(), row.tickets);
    let mut scenarios: Vec<_> = rows.iter().map(scenario).collect();
    scenarios.dedup();
    let tables = scenarios.into_iter().map(|at| {
        let rows: Vec<_> = rows.iter().filter(|row| scenario(row) == at).collect();
        let (backend, protocol, (full, resumed)) = at;
        let title = format!(
            "Resumed connections of bursts, as seen by the server, by the number of connections \
             that begin at the same time. {backend}, {protocol}; tickets: {full} after a full \
             handshake, {resumed} after a resumed one."
        );
        table(&title, &rows)
    });
    tables.collect()
}

fn table(title: &str, rows: &[&BurstRow]) -> Table {
    let sizes: BTreeSet<_> = rows.iter().map(|row| row.concurrency).collect();
    let columns: Vec<_> = sizes.iter().map(|size| format!("{size}, %")).collect();
    let mut header = vec!["store"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(title, &header, 1);
    for rows in rows.chunk_by(|one, next| one.store == next.store) {
        let rates = sizes.iter().map(|size| {
            let row = rows.iter().find(|row| row.concurrency == *size);
            let rate = row.filter(|row| row.error.is_none());
            fixed(rate.map(|row| row.resumed_rate * 100.0), 1)
        });
        table.row([rows[0].store.clone()].into_iter().chain(rates));
    }
    table.mark_best(
        1..header.len(),
        Best::Greatest,
        &[],
        "the best store",
        |row| !is_reference(&row[0].text),
    );
    table
}
