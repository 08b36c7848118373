//! Findings as tables.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::{AddressRow, ConnectionRow};

/// The last column is empty without failures, which standard error explains.
pub(super) fn connection_table(rows: &[ConnectionRow]) -> Table {
    let header = ["", "offered", "resumed", "tickets", "us", "in", "out", ""];
    let mut table = new_table(&header, 3);
    if let Some(failure) = table.column_mut(header.len() - 1) {
        failure.set_cell_alignment(CellAlignment::Left);
    }
    for row in rows {
        let if_succeeded = |text: String| {
            if row.has_failed() {
                "-".to_owned()
            } else {
                text
            }
        };
        let us = row
            .handshake_us
            .map_or_else(|| "-".to_owned(), |us| us.to_string());
        let failure = row.failure.map(|failure| failure.to_string());
        table.add_row([
            row.connection.to_string(),
            yes_or_no(row.offered),
            if_succeeded(yes_or_no(row.resumed)),
            if_succeeded(row.tickets.to_string()),
            us,
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
            failure.unwrap_or_default(),
        ]);
    }
    table
}

pub(super) fn address_table(rows: &[AddressRow]) -> Table {
    let mut table = new_table(&["session from", "offered at", "resumed"], 3);
    for row in rows {
        let resumed = match (&row.failure, row.offered) {
            (Some(_), _) => "failed".to_owned(),
            (None, false) => "no session".to_owned(),
            (None, true) => yes_or_no(row.resumed),
        };
        table.add_row([row.from.clone(), row.to.clone(), resumed]);
    }
    table
}

/// A table without rules. Columns are aligned to the right, except the first `left`.
fn new_table(header: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn write_table(table: &Table, out: &mut impl Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
