//! What threads get done that share a store.

use super::Table;
use crate::ContentionRow;

/// A line for each store in each mix, a column for each number of threads.
pub(super) fn table(rows: &[ContentionRow], cores: usize) -> Table {
    let title = format!(
        "What each of several threads gets done in a millisecond, all on one store, with {cores} cores."
    );
    let mut threads: Vec<_> = rows.iter().map(|row| row.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        let line = (row.mix.as_str(), row.store.as_str());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let columns: Vec<_> = threads.iter().map(ToString::to_string).collect();
    let mut header = vec!["mix", "store"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(title, &header, 2);
    for (mix, store) in lines {
        let mut cells = vec![mix.to_owned(), store.to_owned()];
        cells.extend(threads.iter().map(|threads| {
            let is_it = |row: &&ContentionRow| {
                (row.mix.as_str(), row.store.as_str(), row.threads) == (mix, store, *threads)
            };
            rows.iter().find(is_it).map_or_else(
                || "-".to_owned(),
                |row| format!("{:.1}", row.ops_per_s_per_thread / 1_000.0),
            )
        }));
        table.row(cells);
    }
    table
}
