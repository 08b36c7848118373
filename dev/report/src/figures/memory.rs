//! Charts of the memory of sessions.

use super::{Figures, counts, distinct};
use crate::MemoryRow;
use crate::chart::{Bar, Bars, Body, Chart, Paint};
use crate::number::count;

/// The number of sessions per server as text.
fn sessions_per_server(row: &MemoryRow) -> String {
    match row.sessions.checked_div(row.servers) {
        None | Some(0) => String::new(),
        Some(1) => ", 1 per server".to_owned(),
        Some(some) => format!(", {} per server", count(&some)),
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
            let paint = Paint::for_store(&row.store);
            Bar::new(label, row.bytes_per_session, "B", paint)
        });
        Chart {
            title: format!("{protocol}, {} servers", count(&servers)),
            note: format!(
                "bytes per session{}; {}",
                here.clone()
                    .next()
                    .map_or_else(String::new, sessions_per_server),
                counts(here.clone().map(|row| row.sessions as u64))
            ),
            body: Body::Bars(Bars(bars.collect())),
        }
    });
    let chain = rows.first().map_or(0, |row| row.chain_bytes);
    Figures {
        lead: format!(
            "Memory of a session as counted by the C library: in rustls\u{2019}s own cache, and in \
             our store with the sessions of each backend. A server\u{2019}s chain of three \
             certificates has {} bytes. rustls-memory and opaque keep it in each session; with \
             other sessions our store shares it among those of a server, so that one can take \
             less than a chain.",
            count(&chain)
        ),
        charts: charts.collect(),
        notes: vec![
            "opaque: rustls 0.23, whose certificates cannot be separated from the session; \
             preview: the next rustls; openssl-keep, openssl-strip: OpenSSL with the certificates \
             kept or removed."
                .to_owned(),
        ],
    }
}
