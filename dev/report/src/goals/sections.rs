//! The goals of each section.

use super::Goal;
use crate::number::megabytes;
use crate::{BurstRow, ContentionRow, HandshakeRow, HitRateRow, MemoryRow, ScaleRow, StoreOpRow};

const OURS: &str = "tls-resume";

/// The quotient; `None` if the divisor is not positive.
fn ratio(one: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| one / other)
}

/// The time that the store adds to a resumed handshake.
pub(super) fn handshakes(rows: &[HandshakeRow]) -> Vec<Goal> {
    let relevant = rows.iter().filter(|row| {
        [OURS, "tls-resume-strip"].contains(&row.store.as_str())
            && row.group == "X25519"
            && row.is_typical()
            && row.rounds > 0
    });
    relevant
        .filter_map(|row| {
            let (ns, ratio) = row.store_ns.zip(row.ratio_to_in_hand)?;
            Some(Goal::new(
                format!(
                    "store overhead of a resumed handshake: {} {}, {}",
                    row.backend, row.protocol, row.store
                ),
                "at most 250 ns",
                format!("{ns:.0} ns ({ratio:.3}x)"),
                ns <= 250.0,
            ))
        })
        .collect()
}

/// The gain of knowing the server's key-exchange group, which a session in hand does not.
pub(super) fn hints(rows: &[HandshakeRow]) -> Vec<Goal> {
    let valid = || rows.iter().filter(|row| row.error.is_none());
    let with = valid()
        .filter(|row| row.store == OURS && row.backend == "openssl" && row.offered == "default");
    with.filter_map(|with| {
        let without = valid().find(|row| {
            row.store == "in-hand"
                && (
                    &row.backend,
                    &row.server,
                    &row.protocol,
                    &row.key,
                    &row.group,
                    &row.offered,
                ) == (
                    &with.backend,
                    &with.server,
                    &with.protocol,
                    &with.key,
                    &with.group,
                    &with.offered,
                )
        })?;
        let (with_us, without_us) = with.client_us.zip(without.client_us)?;
        let ratio = ratio(with_us.median, without_us.median)?;
        Some(Goal::new(
            format!("resumed handshake, server's group known: {}", with.group),
            "not slower than without",
            format!("{ratio:.2}x"),
            ratio <= 1.02,
        ))
    })
    .collect()
}

/// Single operations on a store.
pub(super) fn store_ops(rows: &[StoreOpRow]) -> Vec<Goal> {
    let find = |store: &str, op: &str, servers: usize| {
        rows.iter()
            .find(|row| (row.store.as_str(), row.op.as_str(), row.servers) == (store, op, servers))
            .filter(|row| row.ns_median > 0.0)
    };
    let mut goals = Vec::new();
    let mut sizes: Vec<_> = rows.iter().map(|row| row.servers).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for servers in sizes {
        let pair = find(OURS, "put+take", servers).zip(find("rustls-memory", "put+take", servers));
        let pair = pair.and_then(|(ours, theirs)| {
            let times = ratio(theirs.ns_median, ours.ns_median)?;
            Some((ours, times))
        });
        if let Some((ours, times)) = pair {
            goals.push(Goal::new(
                format!("put and take with {servers} servers, against rustls's cache"),
                "2x as fast",
                format!("{times:.2}x ({:.0} ns)", ours.ns_median),
                times >= 2.0,
            ));
        }
        for op in ["take", "miss"] {
            let row = find(OURS, op, servers);
            goals.extend(row.and_then(|row| row.allocations).map(|allocations| {
                Goal::new(
                    format!("allocations of a {op} with {servers} servers"),
                    "none",
                    format!("{allocations}"),
                    allocations == 0.0,
                )
            }));
        }
    }
    goals
}

/// Throughput of the ticket mix on two threads.
pub(super) fn contention(rows: &[ContentionRow]) -> Vec<Goal> {
    let mix = || {
        rows.iter()
            .filter(|row| row.mix == "tickets" && row.threads == 2)
    };
    let peers = mix().filter(|row| row.store != OURS);
    let best = peers.max_by(|one, other| {
        one.ops_per_s_per_thread
            .total_cmp(&other.ops_per_s_per_thread)
    });
    let ours = mix().find(|row| row.store == OURS);
    let goal = ours.zip(best).and_then(|(ours, best)| {
        let times = ratio(ours.ops_per_s_per_thread, best.ops_per_s_per_thread)?;
        Some(Goal::new(
            format!(
                "ticket mix on 2 threads, against the best other store ({})",
                best.store
            ),
            "1.5x its throughput",
            format!("{times:.2}x"),
            times >= 1.5,
        ))
    });
    goal.into_iter().collect()
}

/// Memory of an empty store, and of a session.
pub(super) fn memory(rows: &[MemoryRow]) -> Vec<Goal> {
    let ours = || rows.iter().filter(|row| row.store == OURS);
    let empty = ours().map(|row| row.bytes_empty).max().map(|bytes| {
        Goal::new(
            "memory of an empty store",
            "at most 1 KiB",
            format!("{bytes} bytes"),
            bytes <= 1024,
        )
    });
    let mut goals: Vec<_> = empty.into_iter().collect();
    // Large enough that the store's fixed overhead is a small part.
    let large = |row: &&MemoryRow| row.servers >= 1_000 && row.protocol.ends_with("1.3");
    for row in ours().filter(large).filter(|row| row.sessions > 0) {
        let limit = match row.session.as_str() {
            "preview" | "openssl-strip" => 0.35,
            "openssl-keep" => 0.6,
            _ => continue,
        };
        if let Some(ratio) = row.ratio_to_rustls_memory {
            goals.push(Goal::new(
                format!(
                    "bytes per session, against rustls's cache: {}, {}, {} servers",
                    row.session, row.protocol, row.servers
                ),
                &format!("at most {limit}x"),
                format!("{ratio:.2}x ({:.0} bytes)", row.bytes_per_session),
                ratio <= limit,
            ));
        }
    }
    goals
}

/// Hit rates at equal size.
pub(super) fn hit_rate(rows: &[HitRateRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let valid = || rows.iter().filter(|row| row.connections > 0);
    for ours in valid().filter(|row| row.store == OURS) {
        let same = || valid().filter(|row| (&row.trace, row.budget) == (&ours.trace, ours.budget));
        let peers = same().filter(|row| {
            ![OURS, "rustls-memory-default", "ceiling"].contains(&row.store.as_str())
        });
        let best = peers.max_by(|one, other| one.rate.total_cmp(&other.rate));
        // On Zipf traces, where only frequency matters, half a point behind the best counts as
        // equal.
        let slack = if ours.trace.starts_with("zipf") {
            0.005
        } else {
            0.0
        };
        if let Some(best) = best {
            goals.push(Goal::new(
                format!(
                    "hit rate at equal size: {}, {} MB, against {}",
                    ours.trace,
                    megabytes(ours.budget),
                    best.store
                ),
                if slack > 0.0 {
                    "within 0.5 points of the best"
                } else {
                    "the best"
                },
                format!(
                    "{:.1} % against {:.1} %",
                    ours.rate * 100.0,
                    best.rate * 100.0
                ),
                ours.rate + slack >= best.rate,
            ));
        }
        let default = same().find(|row| row.store == "rustls-memory-default");
        let default = default.filter(|row| row.trace == "crawl");
        if let Some(times) = default.and_then(|row| ratio(ours.rate, row.rate)) {
            goals.push(Goal::new(
                format!(
                    "hit rate of the crawl, {} MB, against rustls's cache with its defaults",
                    megabytes(ours.budget)
                ),
                "2x",
                format!("{times:.1}x"),
                times >= 2.0,
            ));
        }
    }
    goals
}

/// Bursts of 64 connections.
pub(super) fn burst(rows: &[BurstRow]) -> Vec<Goal> {
    let ours = rows
        .iter()
        .filter(|row| row.store.starts_with(OURS) && row.concurrency == 64);
    let valid = ours.filter(|row| row.error.is_none() && row.rounds > 0);
    valid
        .map(|row| {
            Goal::new(
                format!(
                    "burst of 64 connections: {} {}, tickets {:?}, {}",
                    row.backend, row.protocol, row.tickets, row.store
                ),
                "99 % resumed",
                format!("{:.1} %", row.resumed_rate * 100.0),
                row.resumed_rate >= 0.99,
            )
        })
        .collect()
}

/// A store with a million servers.
pub(super) fn scale(rows: &[ScaleRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for row in rows.iter().filter(|row| row.op != "sweep" && row.n > 0) {
        goals.push(Goal::new(
            format!("p99.99 of a {} with {} servers", row.op, row.servers),
            "under 100 us",
            format!("{:.1} us", row.p99_99_us),
            row.p99_99_us < 100.0,
        ));
    }
    #[allow(clippy::cast_precision_loss, reason = "for people to read")]
    goals.extend(rows.first().and_then(|row| {
        let excess = (ratio(row.bytes_allocated as f64, row.budget as f64)? - 1.0) * 100.0;
        Some(Goal::new(
            format!(
                "bytes allocated for {} servers, against the limit",
                row.servers
            ),
            "within 5 %",
            format!("{excess:+.1} %"),
            excess.abs() <= 5.0,
        ))
    }));
    goals
}
