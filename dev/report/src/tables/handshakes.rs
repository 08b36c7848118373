//! The tables of handshakes.

use super::table::Best;
use super::{Table, is_reference};
use crate::HandshakeRow;
use crate::number::fixed;

/// The client's times in each scenario; what each store adds until the tickets are stored, and over
/// the connection's whole life; and what happens after unclean ends. Older reports lack the last
/// two.
pub(super) fn tables(rows: &[HandshakeRow]) -> Vec<Table> {
    let (unclean, clean): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.is_unclean());
    let mut tables = vec![scenarios(&clean), stores(&clean)];
    if clean.iter().any(|row| row.whole_ns.is_some()) {
        tables.push(whole_life(&clean));
    }
    if !unclean.is_empty() {
        tables.push(unclean_ends(&unclean));
    }
    tables
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

fn scenarios(rows: &[&HandshakeRow]) -> Table {
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
        let row = rows[0];
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

fn stores(rows: &[&HandshakeRow]) -> Table {
    let title = "Client time that a store adds to a resumed handshake, over a session in hand, \
                 with its 95 % confidence interval. Servers: the client's own library with an \
                 ECDSA key. hyper-openssl: a re-creation of that crate's cache.";
    let mut table = added(title, &["time / in-hand"], rows, |row| {
        let added = [row.store_ns?, row.store_ns_low?, row.store_ns_high?];
        Some((added, vec![fixed(row.ratio_to_in_hand, 3)]))
    });
    if rows.iter().any(|row| row.store == "tls-resume-shared") {
        let note = "tls-resume-shared: one handle for all connections, as rustls-memory is used";
        table.notes.push(note.to_owned());
    }
    table
}

fn whole_life(rows: &[&HandshakeRow]) -> Table {
    let title = "The same over the whole life of a connection: with its close_notify, and the \
                 drops of the connection and of its pooled configuration.";
    added(title, &[], rows, |row| {
        let added = [row.whole_ns?, row.whole_ns_low?, row.whole_ns_high?];
        Some((added, Vec::new()))
    })
}

/// A table of what each store adds: `values` gives the time with its interval, and more columns.
fn added(
    title: &str,
    more: &[&str],
    rows: &[&HandshakeRow],
    values: impl Fn(&HandshakeRow) -> Option<([f64; 3], Vec<String>)>,
) -> Table {
    let header = [
        "client",
        "TLS",
        "group",
        "store",
        "added, ns",
        "from, ns",
        "to, ns",
    ];
    let mut table = Table::new(title, &[&header, more].concat(), 4);
    let is_shown = |row: &&&HandshakeRow| {
        row.backend == row.server && row.key == "ecdsa-p256" && row.error.is_none()
    };
    for row in rows.iter().filter(is_shown) {
        let Some((added, more)) = values(row) else {
            continue;
        };
        let mut cells = vec![
            row.provider.clone(),
            version(row),
            group(row),
            row.store.clone(),
        ];
        cells.extend(added.map(|ns| fixed(Some(ns), 0)));
        cells.extend(more);
        table.row(cells);
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

fn unclean_ends(rows: &[&HandshakeRow]) -> Table {
    let title = "Handshakes after connections that ended without close_notify: the share that is \
                 resumed, and the client time, median. Added: over a session in hand, if both \
                 are always resumed.";
    let header = [
        "client",
        "TLS",
        "store",
        "resumed, %",
        "client time, us",
        "added, ns",
        "from, ns",
        "to, ns",
    ];
    let mut table = Table::new(title, &header, 3);
    for row in rows.iter().filter(|row| row.error.is_none()) {
        table.row([
            row.provider.clone(),
            version(row),
            row.store.clone(),
            fixed(row.resumed_rate.map(|rate| rate * 100.0), 1),
            fixed(row.client_us.map(|us| us.median), 1),
            fixed(row.store_ns, 0),
            fixed(row.store_ns_low, 0),
            fixed(row.store_ns_high, 0),
        ]);
    }
    table.mark_best(
        3..4,
        Best::Greatest,
        &[0, 1],
        "the most resumed with this client and TLS version",
        |row| !is_reference(&row[2].text),
    );
    table.notes.push(
        "OpenSSL marks the session of a connection that ends without close_notify as not resumable"
            .to_owned(),
    );
    table
}
