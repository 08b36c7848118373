//! The rows of a probe, for a program or for a person.

use std::io::{self, Write};

use serde::Serialize;

use super::connection::ConnectionRow;
use super::verdict::Verdict;
use report::text::Style;

/// One object on a line of its own, at once: a program may be waiting for it.
pub(super) fn json(row: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    writeln!(out)?;
    out.flush()
}

/// The connections of one backend and the verdict.
pub(super) fn tables(
    rows: &[ConnectionRow],
    verdict: &Verdict,
    out: &mut impl Write,
) -> io::Result<()> {
    let header = [
        "", "version", "offered", "resumed", "tickets", "lifetime", "group", "us", "in", "out",
    ];
    let mut table = Style::Terminal.table(&header, 4);
    for row in rows.iter().filter(|row| row.error.is_none()) {
        table.add_row([
            row.connection.to_string(),
            text(row.protocol.as_ref()),
            yes(row.offered),
            yes(row.resumed),
            row.tickets.to_string(),
            row.lifetime_s
                .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s")),
            text(row.group.as_ref()),
            text(row.handshake_us.as_ref()),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
        ]);
    }
    if !table.is_empty() {
        writeln!(out, "{table}")?;
    }
    writeln!(out, "{}: {}\n", verdict.backend, verdict.text)
}

fn text(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}
