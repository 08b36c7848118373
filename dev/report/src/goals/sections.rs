//! The goals of each section.

use super::Goal;
use crate::number::megabytes;
use crate::{
    BurstRow, ContentionRow, FleetRow, HandshakeRow, HitRateRow, MemoryRow, ScaleRow, StoreOpRow,
};

const OURS: &str = "tls-resume";

/// The quotient; `None` if the divisor is not positive.
fn ratio(one: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| one / other)
}

/// The time that the store adds to a resumed handshake, against the library's usual cache.
pub(super) fn handshakes(rows: &[HandshakeRow]) -> Vec<Goal> {
    let typical = || {
        rows.iter()
            .filter(|row| row.group == "X25519" && row.is_typical() && row.rounds > 0)
    };
    let ours = typical().filter(|row| row.store == OURS);
    ours.filter_map(|row| {
        let peer = match row.backend.as_str() {
            "rustls" => "rustls-memory",
            _ => "hyper-openssl",
        };
        let peer = typical().find(|other| {
            (other.store.as_str(), &other.backend, &other.protocol)
                == (peer, &row.backend, &row.protocol)
        })?;
        let (ours_ns, peer_ns) = row.store_ns.zip(peer.store_ns)?;
        // hyper-openssl's cache neither renews nor counts, and has no expiry.
        let is_openssl_12 = row.backend == "openssl" && row.protocol.ends_with("1.2");
        let (limit, target) = if is_openssl_12 {
            (1.3, "within 1.3x")
        } else {
            (1.0, "at or below")
        };
        Some(Goal::new(
            format!(
                "time over in-hand of a resumed handshake, against {}: {}, {}",
                peer.store, row.backend, row.protocol
            ),
            target,
            format!("{ours_ns:.0} ns, {peer_ns:.0} ns"),
            ours_ns <= peer_ns * limit,
        ))
    })
    .collect()
}

/// The gain of knowing the server's key-exchange group, which a session in hand does not.
pub(super) fn hints(rows: &[HandshakeRow]) -> Vec<Goal> {
    let scenario = |row: &HandshakeRow| {
        [
            &row.backend,
            &row.server,
            &row.protocol,
            &row.key,
            &row.group,
            &row.offered,
        ]
        .map(String::clone)
    };
    let valid = || {
        rows.iter()
            .filter(|row| row.error.is_none() && row.offered == "default")
    };
    let with = valid().filter(|row| row.store == OURS && row.backend == "openssl");
    with.filter_map(|with| {
        let (limit, target) = match with.group.as_str() {
            "X25519" => (0.75, "at most 0.75x"),
            "P-256" => (0.65, "at most 0.65x"),
            _ => (1.02, "not slower"),
        };
        let in_hand = |row: &&HandshakeRow| row.store == "in-hand";
        let without = valid().find(|row| in_hand(row) && scenario(row) == scenario(with))?;
        let (with_us, without_us) = with.client_us.zip(without.client_us)?;
        let ratio = ratio(with_us.median, without_us.median)?;
        Some(Goal::new(
            format!(
                "resumed handshake with the group known, against in-hand without: server takes {}",
                with.group
            ),
            target,
            format!("{ratio:.2}x"),
            ratio <= limit,
        ))
    })
    .collect()
}

/// Single operations on a store.
pub(super) fn store_ops(rows: &[StoreOpRow]) -> Vec<Goal> {
    let at = |op: &'static str, servers: usize| {
        rows.iter()
            .filter(move |row| (row.op.as_str(), row.servers) == (op, servers))
            .filter(|row| row.ns_median > 0.0)
    };
    let mut goals = Vec::new();
    let mut sizes: Vec<_> = rows.iter().map(|row| row.servers).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for servers in sizes {
        let ours = |op| at(op, servers).find(|row| row.store == OURS);
        let peers = at("put+take", servers).filter(|row| row.store != OURS);
        let best = peers.min_by(|one, other| one.ns_median.total_cmp(&other.ns_median));
        if let Some((ours, best)) = ours("put+take").zip(best) {
            goals.push(Goal::new(
                format!("put and take with {servers} servers, against every other store"),
                "ahead of the best",
                against(ours, best),
                ours.ns_median < best.ns_median,
            ));
        }
        for op in ["put", "put_at_capacity"] {
            for (peer, limit, target) in [
                ("lru", 1.0, "ahead"),
                ("rustls-memory", 1.0, "ahead"),
                ("quick_cache", 1.2, "within 1.2x"),
            ] {
                let peer = at(op, servers).find(|row| row.store == peer);
                if let Some((ours, peer)) = ours(op).zip(peer) {
                    goals.push(Goal::new(
                        format!(
                            "{} with {servers} servers, against {}",
                            op.replace('_', " "),
                            peer.store
                        ),
                        target,
                        against(ours, peer),
                        // Ahead is less, not equal.
                        if limit > 1.0 {
                            ours.ns_median <= peer.ns_median * limit
                        } else {
                            ours.ns_median < peer.ns_median
                        },
                    ));
                }
            }
        }
        for op in ["take", "miss"] {
            goals.extend(ours(op).and_then(|row| row.allocations).map(|allocations| {
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

fn against(ours: &StoreOpRow, peer: &StoreOpRow) -> String {
    format!(
        "{:.0} ns, {} {:.0} ns",
        ours.ns_median, peer.store, peer.ns_median
    )
}

/// Throughput on two threads.
pub(super) fn contention(rows: &[ContentionRow]) -> Vec<Goal> {
    let goal = |mix: &str| {
        let find = |store: &str| {
            rows.iter()
                .find(|row| (row.store.as_str(), row.mix.as_str(), row.threads) == (store, mix, 2))
        };
        let (ours, peer) = find(OURS).zip(find("quick_cache"))?;
        let times = ratio(ours.ops_per_s_per_thread, peer.ops_per_s_per_thread)?;
        Some(Goal::new(
            format!("throughput of {mix} on 2 threads, against quick_cache"),
            "ahead",
            format!("{times:.2}x"),
            times > 1.0,
        ))
    };
    ["tickets", "zipf-0.9"]
        .into_iter()
        .filter_map(goal)
        .collect()
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
        if let Some(best) = best {
            goals.push(Goal::new(
                format!(
                    "hit rate at equal size: {}, {} MB, against {}",
                    ours.trace,
                    megabytes(ours.budget),
                    best.store
                ),
                "the best",
                format!(
                    "{:.1} % against {:.1} %",
                    ours.rate * 100.0,
                    best.rate * 100.0
                ),
                ours.rate >= best.rate,
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

/// A store with a million servers. Its stalls are compared with those of the machine.
pub(super) fn scale(rows: &[ScaleRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let valid = || rows.iter().filter(|row| row.n > 0);
    let empty = valid().find(|row| row.is_empty_loop());
    for row in valid().filter(|row| ["put", "take"].contains(&row.op.as_str())) {
        let Some(empty) = empty else { continue };
        let beyond = row.p99_99_us - empty.p99_99_us;
        goals.push(Goal::new(
            format!(
                "p99.99 of a {} with {} servers, beyond the empty loop",
                row.op, row.servers
            ),
            "under 100 us",
            format!(
                "{beyond:.1} us ({:.1} - {:.1})",
                row.p99_99_us, empty.p99_99_us
            ),
            beyond < 100.0,
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

/// 64 processes that share sessions.
pub(super) fn fleet(rows: &[FleetRow]) -> Vec<Goal> {
    let rows = rows
        .iter()
        .filter(|row| row.processes == 64 && row.connections > 0);
    rows.flat_map(|row| {
        let of = format!("{} processes on {}", row.processes, row.tier);
        [
            Goal::new(
                format!("{of}, after the warm-up"),
                "97 % resumed",
                format!("{:.1} %", row.resumed_rate * 100.0),
                row.resumed_rate >= 0.97,
            ),
            Goal::new(
                format!("{of}, tickets used twice"),
                "0",
                row.used_twice.to_string(),
                row.used_twice == 0,
            ),
        ]
    })
    .collect()
}
