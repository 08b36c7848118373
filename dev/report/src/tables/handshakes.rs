//! The rows as tables.

use super::{Table, number};
use crate::HandshakeRow;

/// Two tables: a line for each corner with the client's medians, and what each store costs.
pub(super) fn tables(rows: &[HandshakeRow]) -> [Table; 2] {
    [corners(rows), stores(rows)]
}

/// What tells one corner from another.
fn corner(row: &HandshakeRow) -> [&str; 6] {
    [
        &row.provider,
        &row.server,
        &row.protocol,
        &row.key,
        &row.group,
        &row.offered,
    ]
    .map(String::as_str)
}

/// A group, marked where the client did not name it.
fn group(row: &HandshakeRow) -> String {
    if row.offered == "default" {
        format!("{} *", row.group)
    } else {
        row.group.clone()
    }
}

fn corners(rows: &[HandshakeRow]) -> Table {
    let title = "A handshake's client time, median in microseconds. Saves: full over resumed \
                 from the store.";
    let header = [
        "client", "server", "TLS", "key", "group", "full", "in-hand", "resumed", "saves",
    ];
    let mut table = Table::new(title, &header, 5);
    for lines in rows.chunk_by(|one, next| corner(one) == corner(next)) {
        let median = |store: &str| {
            let row = lines.iter().find(|row| row.store == store)?;
            let us = row.client_us.filter(|_| row.error.is_none())?;
            Some(us.median)
        };
        let (full, resumed) = (median("none"), median("tls-resume"));
        let saves = full.zip(resumed.filter(|us| *us > 0.0));
        let saves = saves.map(|(full, resumed)| full / resumed);
        let mut cells = start(&lines[0]);
        cells.insert(3, lines[0].key.clone());
        cells.extend([
            number(full, 1, ""),
            number(median("in-hand"), 1, ""),
            number(resumed, 1, ""),
            number(saves, 2, "x"),
        ]);
        table.row(cells);
    }
    table
        .notes
        .push("group *: of the client library's default list".to_owned());
    table
}

fn stores(rows: &[HandshakeRow]) -> Table {
    let title = "What a store costs above a session in hand, where a server of the client's own \
                 library\nhas an ECDSA key: nanoseconds of client time, with the interval that holds \
                 the truth 19\ntimes of 20. Peers: rustls-memory, hyper-openssl (its behaviour, made \
                 again), der.";
    let header = [
        "client", "TLS", "group", "store", "ns", "from", "to", "ratio",
    ];
    let mut table = Table::new(title, &header, 4);
    let here = |row: &&HandshakeRow| {
        row.backend == row.server && row.key == "ecdsa-p256" && row.error.is_none()
    };
    for row in rows.iter().filter(here) {
        if row.store_ns.is_none() {
            continue;
        }
        let mut cells = start(row);
        cells.remove(1); // the server is of the same library
        cells.extend([
            row.store.clone(),
            number(row.store_ns, 0, ""),
            number(row.store_ns_low, 0, ""),
            number(row.store_ns_high, 0, ""),
            number(row.ratio_to_in_hand, 3, ""),
        ]);
        table.row(cells);
    }
    table
}

/// Client, server, version and group.
fn start(row: &HandshakeRow) -> Vec<String> {
    vec![
        row.provider.clone(),
        row.server.clone(),
        row.protocol.replacen("TLS ", "", 1),
        group(row),
    ]
}
