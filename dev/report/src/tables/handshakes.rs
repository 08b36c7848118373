//! The tables of handshakes.

use super::table::Best;
use super::{Table, is_reference};
use crate::HandshakeRow;
use crate::number::fixed;

/// Two tables: the client's times in each scenario, and what each store adds.
pub(super) fn tables(rows: &[HandshakeRow]) -> [Table; 2] {
    [scenarios(rows), stores(rows)]
}

/// The fields that identify a scenario.
fn scenario(row: &HandshakeRow) -> [&str; 6] {
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

/// The group, and whether it comes from the client library's default list.
fn group(row: &HandshakeRow) -> String {
    if row.offered == "default" {
        format!("{} (default)", row.group)
    } else {
        row.group.clone()
    }
}

/// The version number alone.
fn version(row: &HandshakeRow) -> String {
    row.protocol.replacen("TLS ", "", 1)
}

fn scenarios(rows: &[HandshakeRow]) -> Table {
    let title = "Client time of a handshake, median. In-hand: resumed with a session from a \
                 variable. Resumed: with a session from tls-resume. Ratio: full / resumed.";
    let header = [
        "client",
        "server",
        "TLS",
        "key",
        "group",
        "full, us",
        "in-hand, us",
        "resumed, us",
        "ratio",
    ];
    let mut table = Table::new(title, &header, 5);
    for rows in rows.chunk_by(|one, next| scenario(one) == scenario(next)) {
        let median = |store: &str| {
            let row = rows.iter().find(|row| row.store == store)?;
            let us = row.client_us.filter(|_| row.error.is_none())?;
            Some(us.median)
        };
        let (full, resumed) = (median("none"), median("tls-resume"));
        let speed_up = full.zip(resumed.filter(|us| *us > 0.0));
        let speed_up = speed_up.map(|(full, resumed)| full / resumed);
        let row = &rows[0];
        table.row([
            row.provider.clone(),
            row.server.clone(),
            version(row),
            row.key.clone(),
            group(row),
            fixed(full, 1),
            fixed(median("in-hand"), 1),
            fixed(resumed, 1),
            fixed(speed_up, 2),
        ]);
    }
    table.mark_best(
        5..8,
        Best::Least,
        &[2, 3, 4],
        "the fastest client with this TLS version, key and group",
        |_| true,
    );
    table
        .notes
        .push("default: the group comes from the client library's default list".to_owned());
    table
}

fn stores(rows: &[HandshakeRow]) -> Table {
    let title = "Client time that a store adds to a resumed handshake, over a session in hand, \
                 with its 95 % confidence interval. Servers: the client's own library with an \
                 ECDSA key. hyper-openssl: a re-creation of that crate's cache.";
    let header = [
        "client",
        "TLS",
        "group",
        "store",
        "added, ns",
        "from, ns",
        "to, ns",
        "time / in-hand",
    ];
    let mut table = Table::new(title, &header, 4);
    let is_shown = |row: &&HandshakeRow| {
        row.backend == row.server
            && row.key == "ecdsa-p256"
            && row.error.is_none()
            && row.store_ns.is_some()
    };
    for row in rows.iter().filter(is_shown) {
        table.row([
            row.provider.clone(),
            version(row),
            group(row),
            row.store.clone(),
            fixed(row.store_ns, 0),
            fixed(row.store_ns_low, 0),
            fixed(row.store_ns_high, 0),
            fixed(row.ratio_to_in_hand, 3),
        ]);
    }
    table.mark_best(
        4..5,
        Best::Least,
        &[0, 1, 2],
        "the store that adds least with this client, TLS version and group",
        |row| !is_reference(&row[3].text),
    );
    table
}
