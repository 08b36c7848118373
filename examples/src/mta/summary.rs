//! Results of the deliveries with one store, and their table.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use super::server_log::ServerLog;

/// Results of the deliveries with one store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The kind of the store: `memory`, `lmdb` or `redis`.
    pub store: String,
    /// Number of processes.
    pub processes: usize,
    /// Number of mails, each delivered over a new connection.
    pub deliveries: usize,
    /// Resumed connections as counted by the servers.
    pub resumed: usize,
    /// Resumed connections as counted by the clients.
    pub resumed_by_clients: usize,
    /// Fraction of resumed connections.
    pub rate: f64,
    /// The same without the first connection of each process; `None` if there are no others.
    pub rate_after_first: Option<f64>,
    /// TLS 1.3 tickets offered more than once.
    pub used_twice: usize,
    /// Median duration of a handshake in microseconds.
    pub handshake_us: u64,
}

impl Summary {
    /// Summarizes the deliveries of each process and the servers' log.
    pub fn new(store: &str, deliveries: &[Vec<Delivery>], log: &ServerLog) -> Self {
        let all = || deliveries.iter().flatten();
        let later = || deliveries.iter().flat_map(|process| process.iter().skip(1));
        let resumed = |delivery: &&Delivery| delivery.resumed;
        let mut times: Vec<_> = all().map(|delivery| delivery.handshake_us).collect();
        times.sort_unstable();
        Self {
            // Not the whole URL, which may contain a password.
            store: store.split(':').next().unwrap_or_default().to_owned(),
            processes: deliveries.len(),
            deliveries: times.len(),
            resumed: log.resumed,
            resumed_by_clients: all().filter(resumed).count(),
            rate: rate(log.resumed, log.handshakes).unwrap_or_default(),
            rate_after_first: rate(later().filter(resumed).count(), later().count()),
            used_twice: log.used_twice,
            handshake_us: times.get(times.len() / 2).copied().unwrap_or_default(),
        }
    }
}

fn rate(part: usize, whole: usize) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // far below what a float holds exactly
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A row per store.
pub(super) fn table(summaries: &[Summary]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header([
        "store",
        "processes",
        "deliveries",
        "resumed",
        "rate, %",
        "tickets used twice",
        "median handshake, us",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for summary in summaries {
        table.add_row([
            summary.store.clone(),
            summary.processes.to_string(),
            summary.deliveries.to_string(),
            summary.resumed.to_string(),
            format!("{:.1}", summary.rate * 100.0),
            summary.used_twice.to_string(),
            summary.handshake_us.to_string(),
        ]);
    }
    table
}
