//! The tables of threads that share a store.

use super::table::Best;
use super::{Table, is_reference};
use crate::ContentionRow;
use crate::number::fixed;

/// A table per mix, with a row per store and a column per number of threads.
pub(super) fn tables(rows: &[ContentionRow], cores: usize) -> Vec<Table> {
    let mut mixes: Vec<&str> = rows.iter().map(|row| row.mix.as_str()).collect();
    mixes.dedup();
    let tables = mixes.into_iter().map(|mix| {
        let rows: Vec<_> = rows.iter().filter(|row| row.mix == mix).collect();
        let title = format!(
            "Operations per millisecond of each thread, by the number of threads that share one \
             store, on {cores} cores. Mix: {mix}."
        );
        table(&title, &rows)
    });
    tables.collect()
}

fn table(title: &str, rows: &[&ContentionRow]) -> Table {
    let mut threads: Vec<_> = rows.iter().map(|row| row.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut stores: Vec<&str> = rows.iter().map(|row| row.store.as_str()).collect();
    stores.dedup();
    let columns: Vec<_> = threads
        .iter()
        .map(|threads| format!("{threads}, op/ms"))
        .collect();
    let mut header = vec!["client", "store"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(title, &header, 2);
    for store in stores {
        let (name, backend) = store.split_once(", ").unwrap_or((store, "-"));
        let mut cells = vec![backend.to_owned(), name.to_owned()];
        cells.extend(threads.iter().map(|threads| {
            let is_it =
                |row: &&&ContentionRow| (row.store.as_str(), row.threads) == (store, *threads);
            let row = rows.iter().find(is_it);
            fixed(row.map(|row| row.ops_per_s_per_thread / 1_000.0), 1)
        }));
        table.row(cells);
    }
    let legend = "the best store with this client";
    table.mark_best(2..header.len(), Best::Greatest, &[0], legend, |row| {
        !is_reference(&row[1].text)
    });
    table
}
