//! What came of the deliveries with one store.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use super::ledger::Ledger;

/// The deliveries with one store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round {
    /// The kind of the store: `memory`, `lmdb` or `redis`.
    pub store: String,
    /// How many processes delivered.
    pub processes: usize,
    /// How many mails they delivered, each over a connection of its own.
    pub deliveries: usize,
    /// How many connections were resumed, by the servers' word.
    pub resumed: usize,
    /// The same by the clients'.
    pub resumed_by_clients: usize,
    /// Resumed connections per connection.
    pub rate: f64,
    /// The same without the first connection of each process; nothing if there are no others.
    pub rate_after_first: Option<f64>,
    /// Tickets of TLS 1.3 that were offered to a server once more.
    pub used_twice: usize,
    /// The median of the handshakes' times.
    pub handshake_us: u64,
}

impl Round {
    /// What the processes told, one by one, and what the servers saw.
    pub fn new(store: &str, told: &[Vec<Delivery>], seen: &Ledger) -> Self {
        let all = || told.iter().flatten();
        let later = || told.iter().flat_map(|process| process.iter().skip(1));
        let resumed = |delivery: &&Delivery| delivery.resumed;
        let mut times: Vec<_> = all().map(|delivery| delivery.handshake_us).collect();
        times.sort_unstable();
        Self {
            // Not the whole: there may be a password in it.
            store: store.split(':').next().unwrap_or_default().to_owned(),
            processes: told.len(),
            deliveries: times.len(),
            resumed: seen.resumed,
            resumed_by_clients: all().filter(resumed).count(),
            rate: rate(seen.resumed, seen.handshakes).unwrap_or_default(),
            rate_after_first: rate(later().filter(resumed).count(), later().count()),
            used_twice: seen.used_twice,
            handshake_us: times.get(times.len() / 2).copied().unwrap_or_default(),
        }
    }
}

fn rate(part: usize, whole: usize) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // far below what a float holds exactly
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// All rounds, one below the other.
pub(super) fn table(rounds: &[Round]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header([
        "store",
        "processes",
        "deliveries",
        "resumed",
        "rate",
        "tickets used twice",
        "median handshake",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for round in rounds {
        table.add_row([
            round.store.clone(),
            round.processes.to_string(),
            round.deliveries.to_string(),
            round.resumed.to_string(),
            format!("{:.1} %", round.rate * 100.0),
            round.used_twice.to_string(),
            format!("{} us", round.handshake_us),
        ]);
    }
    table
}
