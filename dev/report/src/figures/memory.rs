//! What a session takes in memory.

use super::{Figures, counts, distinct};
use crate::MemoryRow;
use crate::chart::{Bar, Bars, Body, Chart, Ink, count};

/// How many sessions a server has in a row.
fn a_server(row: &MemoryRow) -> String {
    match row.sessions.checked_div(row.servers) {
        None | Some(0) => String::new(),
        Some(1) => ", 1 a server".to_owned(),
        Some(some) => format!(", {} a server", count(&some)),
    }
}

pub(super) fn figures(rows: &[MemoryRow]) -> Figures {
    let panels = distinct(rows.iter().map(|row| (row.protocol.as_str(), row.servers)));
    let charts = panels.into_iter().map(|(protocol, servers)| {
        let here = rows
            .iter()
            .filter(|row| (row.protocol.as_str(), row.servers) == (protocol, servers));
        let bars = here.clone().map(|row| {
            let label = if row.store == "tls-resume" {
                &row.session
            } else {
                &row.store
            };
            let ink = Ink::of_store(&row.store);
            Bar::new(label, row.bytes_per_session, "B", ink)
        });
        Chart {
            title: format!("{protocol}, {} servers", count(&servers)),
            note: format!(
                "bytes a session{}; {}",
                here.clone().next().map_or_else(String::new, a_server),
                counts(here.clone().map(|row| row.sessions as u64))
            ),
            body: Body::Bars(Bars(bars.collect())),
        }
    });
    let chain = rows.first().map_or(0, |row| row.chain_bytes);
    Figures {
        lead: format!(
            "What a session takes by the C library\u{2019}s own count: in rustls\u{2019}s own \
             cache, and in our store with the sessions of each backend. A server\u{2019}s chain \
             of three certificates has {} bytes. rustls-memory and opaque hold it once for each session; \
             where our store can look into sessions, those of one server share it, so that one can \
             take less than a chain.",
            count(&chain)
        ),
        charts: charts.collect(),
        notes: vec![
            "opaque: rustls 0.23, whose sessions cannot be looked into; preview: the next rustls; \
             openssl-keep, openssl-strip: OpenSSL\u{2019}s, with the certificates kept or left out."
                .to_owned(),
        ],
    }
}
