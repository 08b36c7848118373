//! The tables of processes that share sessions.

use super::Table;
use crate::Report;
use crate::number::fixed;

/// What the clients see, and what it costs Redis. Notes list what is missing.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let rows = &report.fleet;
    let servers = rows.first().map_or(0, |row| row.servers);
    let mut clients = Table::new(
        format!(
            "Processes that share sessions, each connecting to {servers} servers in random order, after \
             a warm-up. Prefetch: where memory has no session, until it does."
        ),
        &[
            "tier",
            "processes",
            "connections",
            "connections per s",
            "resumed, %",
            "used twice",
            "prefetch p50, us",
            "prefetch p99, us",
        ],
        1,
    );
    let mut redis = Table::new(
        "The same, as Redis sees it. A session moves when it is written and when it is fetched.",
        &[
            "tier",
            "processes",
            "moved per s",
            "moved per connection",
            "bytes per move",
            "CPU us per move",
            "CPU, % of a core",
            "memory, kB",
            "failed calls",
        ],
        1,
    );
    for row in rows {
        let (connections, moved) = (number(row.connections as u64), number(row.moved()));
        clients.row([
            row.tier.clone(),
            row.processes.to_string(),
            row.connections.to_string(),
            ratio(connections, row.seconds, 0),
            format!("{:.1}", row.resumed_rate * 100.0),
            row.used_twice.to_string(),
            fixed(row.prefetch_p50_us, 0),
            fixed(row.prefetch_p99_us, 0),
        ]);
        redis.row([
            row.tier.clone(),
            row.processes.to_string(),
            ratio(moved, row.seconds, 0),
            ratio(moved, connections, 2),
            ratio(number(row.redis_bytes), moved, 0),
            ratio(row.redis_cpu_us, moved, 1),
            ratio(row.redis_cpu_us / 1e4, row.seconds, 1),
            format!("{:.0}", number(row.redis_memory) / 1e3),
            row.failures.to_string(),
        ]);
    }
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("fleet ("));
    let missing = missing.map(|(what, why)| format!("skipped: {what}: {why}"));
    clients.notes.extend(missing);
    vec![clients, redis]
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn number(count: u64) -> f64 {
    count as f64
}

/// A quotient with so many digits; a dash if it has no value.
fn ratio(part: f64, whole: f64, digits: usize) -> String {
    fixed((whole > 0.0).then(|| part / whole), digits)
}
