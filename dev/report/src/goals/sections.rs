//! The goals of each section.

use super::Goal;
use crate::tables::megabytes;
use crate::{BurstRow, ContentionRow, HandshakeRow, HitRateRow, MemoryRow, ScaleRow, StoreOpRow};

const OURS: &str = "tls-resume";

/// How many times the one is the other; nothing where there is nothing to divide by.
fn times(one: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| one / other)
}

/// What the store adds to a resumed handshake.
pub(super) fn handshakes(rows: &[HandshakeRow]) -> Vec<Goal> {
    let main = rows.iter().filter(|row| {
        [OURS, "tls-resume-strip"].contains(&row.store.as_str())
            && row.group == "X25519"
            && row.is_typical()
            && row.rounds > 0
    });
    main.filter_map(|row| {
        let (ns, ratio) = row.store_ns.zip(row.ratio_to_in_hand)?;
        Some(Goal::new(
            format!(
                "resumed handshake over in-hand: {} {}, {}",
                row.backend, row.protocol, row.store
            ),
            "at most 250 ns",
            format!("{ns:.0} ns ({ratio:.3}x)"),
            ns <= 250.0,
        ))
    })
    .collect()
}

/// What it brings to know the server's group.
pub(super) fn hints(rows: &[HandshakeRow]) -> Vec<Goal> {
    let sound = || rows.iter().filter(|row| row.error.is_none());
    let with = sound().filter(|row| row.store == "tls-resume-hint");
    with.filter_map(|with| {
        let without = sound().find(|row| {
            row.store == OURS
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
        let ratio = times(with_us.median, without_us.median)?;
        Some(Goal::new(
            format!("resumed handshake with the group known: {}", with.group),
            "not slower; faster where the first offered is refused",
            format!("{ratio:.2}x"),
            ratio <= 1.02,
        ))
    })
    .collect()
}

/// One operation, one thread.
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
            let times = times(theirs.ns_median, ours.ns_median)?;
            Some((ours, times))
        });
        if let Some((ours, times)) = pair {
            goals.push(Goal::new(
                format!("put and take, {servers} servers, against rustls's memory cache"),
                "2x as fast",
                format!("{times:.2}x ({:.0} ns)", ours.ns_median),
                times >= 2.0,
            ));
        }
        for op in ["take", "miss"] {
            let row = find(OURS, op, servers);
            goals.extend(row.and_then(|row| row.allocations).map(|allocations| {
                Goal::new(
                    format!("allocations of a {op}, {servers} servers"),
                    "none",
                    format!("{allocations}"),
                    allocations == 0.0,
                )
            }));
        }
    }
    goals
}

/// The ticket mix on two threads.
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
        let times = times(ours.ops_per_s_per_thread, best.ops_per_s_per_thread)?;
        Some(Goal::new(
            format!(
                "the ticket mix on 2 threads against the best peer ({})",
                best.store
            ),
            "1.5x its throughput",
            format!("{times:.2}x"),
            times >= 1.5,
        ))
    });
    goal.into_iter().collect()
}

/// Bytes.
pub(super) fn memory(rows: &[MemoryRow]) -> Vec<Goal> {
    let ours = || rows.iter().filter(|row| row.store == OURS);
    let empty = ours().map(|row| row.bytes_empty).max().map(|bytes| {
        Goal::new(
            "an empty store",
            "at most 1 KiB",
            format!("{bytes} bytes"),
            bytes <= 1024,
        )
    });
    let mut goals: Vec<_> = empty.into_iter().collect();
    // Those that are large enough for what every store keeps ready to be a small part.
    let large = |row: &&MemoryRow| row.servers >= 1_000 && row.protocol.ends_with("1.3");
    for row in ours().filter(large).filter(|row| row.sessions > 0) {
        let most = match row.session.as_str() {
            "preview" | "openssl-strip" => 0.35,
            "openssl-keep" => 0.6,
            _ => continue,
        };
        if let Some(ratio) = row.ratio_to_rustls_memory {
            goals.push(Goal::new(
                format!(
                    "bytes a session against rustls's memory cache: {}, {}, {} servers",
                    row.session, row.protocol, row.servers
                ),
                &format!("at most {most}x"),
                format!("{ratio:.2}x ({:.0} bytes)", row.bytes_per_session),
                ratio <= most,
            ));
        }
    }
    goals
}

/// Who has a session ready at equal bytes.
pub(super) fn hit_rate(rows: &[HitRateRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let sound = || rows.iter().filter(|row| row.connections > 0);
    for ours in sound().filter(|row| row.store == OURS) {
        let same = || sound().filter(|row| (&row.trace, row.budget) == (&ours.trace, ours.budget));
        let peers = same().filter(|row| {
            ![OURS, "rustls-memory-default", "ceiling"].contains(&row.store.as_str())
        });
        let best = peers.max_by(|one, other| one.rate.total_cmp(&other.rate));
        // Where nothing but frequency matters, half a point behind the best is as good.
        let slack = if ours.trace.starts_with("zipf") {
            0.005
        } else {
            0.0
        };
        if let Some(best) = best {
            goals.push(Goal::new(
                format!(
                    "resumed at equal bytes: {}, {} MB, against {}",
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
        if let Some(times) = default.and_then(|row| times(ours.rate, row.rate)) {
            goals.push(Goal::new(
                format!(
                    "resumed on the crawl against rustls's defaults, {} MB",
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

/// 64 connections at once.
pub(super) fn burst(rows: &[BurstRow]) -> Vec<Goal> {
    let ours = rows
        .iter()
        .filter(|row| row.store.starts_with(OURS) && row.concurrency == 64);
    let sound = ours.filter(|row| row.error.is_none() && row.rounds > 0);
    sound
        .map(|row| {
            Goal::new(
                format!(
                    "64 connections at once: {} {}, tickets {:?}, {}",
                    row.backend, row.protocol, row.tickets, row.store
                ),
                "99 % resumed",
                format!("{:.1} %", row.resumed_rate * 100.0),
                row.resumed_rate >= 0.99,
            )
        })
        .collect()
}

/// A million servers.
pub(super) fn scale(rows: &[ScaleRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for row in rows.iter().filter(|row| row.op != "sweep" && row.n > 0) {
        goals.push(Goal::new(
            format!("{} with {} servers, p99.99", row.op, row.servers),
            "under 100 us",
            format!("{:.1} us", row.p99_99_us),
            row.p99_99_us < 100.0,
        ));
    }
    #[allow(clippy::cast_precision_loss, reason = "for people to read")]
    goals.extend(rows.first().and_then(|row| {
        let off = (times(row.bytes_allocated as f64, row.budget as f64)? - 1.0) * 100.0;
        Some(Goal::new(
            format!(
                "bytes really taken by {} servers against the budget",
                row.servers
            ),
            "within 5 %",
            format!("{off:+.1} %"),
            off.abs() <= 5.0,
        ))
    }));
    goals
}
