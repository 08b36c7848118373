//! Invented reports: one with every section, and one with a single row.

use report::{
    BurstRow, ContentionRow, Environment, EquivalenceRow, FleetRow, HandshakeRow, HitRateRow,
    MemoryRow, Quantiles, Report, RuleOutcome, ScaleRow, StoreOpRow, TierRow, Verdict,
};

pub(crate) fn environment() -> Environment {
    let map = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect()
    };
    Environment {
        machine: "a processor".to_owned(),
        cores: 2,
        system: "linux x86_64".to_owned(),
        rustc: "rustc 1.95.0".to_owned(),
        profile: "release".to_owned(),
        openssl: "OpenSSL 3.6.3".to_owned(),
        versions: map(&[
            ("openssl", "0.10.82"),
            ("rustls-webpki", "0.103.17, 0.104.0-alpha.7"),
        ]),
        allocator: "the system's malloc".to_owned(),
        pinned: map(&[("transport", "memory, one thread")]),
        date: "Nov 23 21:03:14 2026 GMT".to_owned(),
        unix_time: 1_795_467_794,
        seed: 0,
        command: "compare run --out /a/directory/with/a/rather/long/name".to_owned(),
    }
}

/// A report with one row, as written with `--only store`.
pub(crate) fn small() -> Report {
    let mut report = Report::new(environment());
    report.skipped.remove("store_ops");
    report.store_ops = vec![store_op("tls-resume", 1, 189.0)];
    report
}

/// A report with every section.
pub(crate) fn full() -> Report {
    let mut report = Report::new(environment());
    report.skipped.clear();
    report.skipped.insert(
        "tiers (redis)".to_owned(),
        "no redis-server was found".to_owned(),
    );
    report.handshakes = handshakes();
    for (servers, times) in [(1, 1.0), (100_000, 2.6)] {
        let stores = [
            ("tls-resume", 189.0),
            ("rustls-memory", 309.0),
            ("moka", 1_333.0),
        ];
        let rows = stores.map(|(store, ns)| store_op(store, servers, ns * times));
        report.store_ops.extend(rows);
        report.store_ops.push(StoreOpRow {
            op: "put".to_owned(),
            bytes_per_server: Some(390.0),
            ..store_op("tls-resume", servers, 120.0)
        });
    }
    report.contention = contention();
    report.hit_rate = hit_rate();
    report.burst = burst();
    report.memory = memory();
    report.scale = ["put", "take", "sweep", "empty loop"].map(scale).into();
    for processes in [1, 2, 4] {
        for (op, us) in [("put", 8.0), ("take", 5.0), ("prefetch", 99.5)] {
            report.tiers.push(TierRow {
                tier: "lmdb".to_owned(),
                op: op.to_owned(),
                processes,
                n: 8_000 * processes,
                median_us: us,
                p99_us: us * 37.0,
            });
        }
    }
    for tier in ["redis", "redis-cluster"] {
        report
            .fleet
            .extend([1, 64].map(|processes| fleet(tier, processes)));
    }
    report.equivalence = equivalence();
    report
}

pub(crate) fn fleet(tier: &str, processes: usize) -> FleetRow {
    FleetRow {
        tier: tier.to_owned(),
        processes,
        servers: 64,
        connections: 500 * processes,
        seconds: 12.5,
        resumed_rate: 0.985,
        used_twice: 0,
        written: 9_000,
        fetched: 8_000,
        failures: 0,
        redis_bytes: 45_000_000,
        redis_cpu_us: 750_000.0,
        redis_memory: 1_500_000,
        prefetches: 8_100,
        prefetch_p50_us: Some(310.5),
        prefetch_p99_us: (processes > 1).then_some(2_345.0),
    }
}

pub(crate) fn store_op(store: &str, servers: usize, ns_median: f64) -> StoreOpRow {
    StoreOpRow {
        store: store.to_owned(),
        op: "put+take".to_owned(),
        servers,
        ns_median,
        allocations: Some(0.0),
        n: Some(160_000),
        bytes_per_server: None,
    }
}

pub(crate) fn handshake(backend: &str, protocol: &str, store: &str, us: f64) -> HandshakeRow {
    let full = store == "none";
    let added = (!full && store != "in-hand").then_some(2_000.0);
    HandshakeRow {
        backend: backend.to_owned(),
        provider: if backend == "rustls" {
            "aws-lc-rs"
        } else {
            "openssl"
        }
        .to_owned(),
        server: backend.to_owned(),
        protocol: protocol.to_owned(),
        key: "ecdsa-p256".to_owned(),
        group: "X25519".to_owned(),
        offered: "this first".to_owned(),
        cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
        end: Some("close_notify".to_owned()),
        kind: if full { "full" } else { "resumed" }.to_owned(),
        resumed_rate: Some(if full { 0.0 } else { 1.0 }),
        store: store.to_owned(),
        rounds: if full { 3_150 } else { 25_200 },
        client_us: Some(Quantiles {
            median: us,
            p10: us * 0.9,
            p90: us * 1.1,
        }),
        server_us: Some(us / 2.0),
        bytes_in: 2_192,
        bytes_out: 323,
        ratio_to_in_hand: added.map(|_| 1.02),
        store_ns: added,
        store_ns_low: added.map(|ns| ns * 0.5),
        store_ns_high: added.map(|ns| ns * 1.5),
        whole_ns: added.map(|ns| ns * 2.0),
        whole_ns_low: added.map(|ns| ns * 1.5),
        whole_ns_high: added.map(|ns| ns * 2.5),
        error: None,
    }
}

fn handshakes() -> Vec<HandshakeRow> {
    let mut rows = Vec::new();
    for (backend, times) in [("rustls", 1.0), ("openssl", 2.0)] {
        for (protocol, resumed) in [("TLS 1.2", 20.0), ("TLS 1.3", 100.0)] {
            let peers: &[_] = match backend {
                "rustls" => &["rustls-memory"],
                _ => &["tls-resume-strip", "hyper-openssl", "der"],
            };
            rows.push(handshake(backend, protocol, "none", 280.0 * times));
            for store in ["in-hand", "tls-resume"].iter().chain(peers) {
                rows.push(handshake(backend, protocol, store, resumed * times));
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.store == "der") {
        row.store_ns = Some(60_000.0);
        row.store_ns_low = Some(59_000.0);
        row.store_ns_high = Some(61_000.0);
    }
    for (store, rate) in [
        ("in-hand", 0.0),
        ("tls-resume", 1.0),
        ("hyper-openssl", 0.0),
    ] {
        let mut row = handshake("openssl", "TLS 1.3", store, 200.0);
        row.end = Some("unclean".to_owned());
        row.resumed_rate = Some(rate);
        row.store_ns = None;
        row.store_ns_low = None;
        row.store_ns_high = None;
        rows.push(row);
    }
    for (store, us) in [("in-hand", 320.0), ("tls-resume", 215.0)] {
        let mut row = handshake("openssl", "TLS 1.3", store, us);
        "default".clone_into(&mut row.offered);
        "X25519MLKEM768".clone_into(&mut row.group);
        rows.push(row);
    }
    rows
}

fn contention() -> Vec<ContentionRow> {
    let mut rows = Vec::new();
    let stores = [
        "tls-resume",
        "rustls-memory",
        "hyper-openssl",
        "lru",
        "quick_cache",
        "moka",
    ];
    let mixes = [
        ("tickets", "", 6e6),
        ("resumed handshakes, TLS 1.3", ", rustls", 4.5e3),
        (
            "resumed handshakes, TLS 1.3, client's time",
            ", rustls",
            9e3,
        ),
    ];
    for (mix, of, rate) in mixes {
        for (at, store) in (0_u32..).zip(stores) {
            for threads in [1_u32, 2, 4, 8] {
                rows.push(ContentionRow {
                    store: format!("{store}{of}"),
                    mix: mix.to_owned(),
                    threads: threads as usize,
                    ops_per_s_per_thread: rate / f64::from(threads) / f64::from(at + 1),
                    n: Some(5),
                });
            }
        }
    }
    rows
}

fn hit_rate() -> Vec<HitRateRow> {
    let stores = [
        ("tls-resume", 0.694),
        ("quick_cache-64", 0.690),
        ("quick_cache-2", 0.691),
        ("moka-64", 0.656),
        ("moka-2", 0.686),
        ("lru-8", 0.632),
        ("lru-2", 0.690),
        ("rustls-memory", 0.595),
        ("rustls-memory-default", 0.103),
        ("ceiling", 0.694),
    ];
    let mut rows = Vec::new();
    for (trace, budgets) in [
        ("crawl", &[8_750_000, 35_000_000, 140_000_000][..]),
        ("mta", &[35_000_000]),
    ] {
        for budget in budgets {
            rows.extend(stores.map(|(store, rate)| HitRateRow {
                trace: trace.to_owned(),
                store: store.to_owned(),
                budget: *budget,
                connections: 500_000,
                rate,
            }));
        }
    }
    rows
}

fn burst() -> Vec<BurstRow> {
    let mut rows = Vec::new();
    for (protocol, tickets) in [("TLS 1.2", (1, 0)), ("TLS 1.3", (2, 1))] {
        for store in [
            "in-hand",
            "tls-resume",
            "tls-resume-strip",
            "hyper-openssl",
            "der",
        ] {
            for concurrency in [1_u32, 2, 4, 8, 16, 32, 64] {
                let few = ["in-hand", "der"].contains(&store) && protocol == "TLS 1.3";
                rows.push(BurstRow {
                    backend: "openssl".to_owned(),
                    store: store.to_owned(),
                    protocol: protocol.to_owned(),
                    tickets,
                    concurrency: concurrency as usize,
                    rounds: 12,
                    resumed_rate: if few {
                        1.0 / f64::from(concurrency)
                    } else {
                        1.0
                    },
                    error: None,
                });
            }
        }
    }
    rows
}

fn memory() -> Vec<MemoryRow> {
    let held = [
        ("rustls-memory", "opaque", 4_535.0),
        ("tls-resume", "opaque", 4_118.0),
        ("tls-resume", "preview", 1_089.0),
        ("tls-resume", "openssl-keep", 1_444.0),
        ("tls-resume", "openssl-strip", 1_289.0),
    ];
    held.map(|(store, session, bytes)| MemoryRow {
        store: store.to_owned(),
        session: session.to_owned(),
        protocol: "TLS 1.3".to_owned(),
        bytes_empty: 1_024,
        bytes_empty_sized: 2_048,
        servers: 20_000,
        chain_bytes: 3_317,
        handshakes_per_server: 1,
        sessions: 40_000,
        bytes_per_session: bytes,
        resident_per_session: bytes,
        counted_per_session: Some(bytes * 1.5),
        bytes_per_session_after_churn: None,
        ratio_to_rustls_memory: Some(bytes / 4_535.0),
    })
    .into()
}

pub(crate) fn scale(op: &str) -> ScaleRow {
    ScaleRow {
        op: op.to_owned(),
        servers: 1_074_130,
        budget: 928_800_000,
        bytes_counted: 926_564_406,
        bytes_allocated: 939_618_656,
        n: 2_000_000,
        p50_us: 1.9,
        p99_us: 4.1,
        p99_9_us: 27.7,
        p99_99_us: 99.0,
        max_us: 14_664.0,
    }
}

fn equivalence() -> Vec<EquivalenceRow> {
    let verdict = |outcome, reason: Option<&str>| Verdict {
        outcome,
        reason: reason.map(str::to_owned),
    };
    let row = |rule: &str, openssl, preview| EquivalenceRow {
        rule: rule.to_owned(),
        title: "a TLS 1.2 session goes when the server refuses it afterwards".to_owned(),
        rustls: verdict(RuleOutcome::Pass, None),
        openssl,
        rustls_preview: preview,
    };
    vec![
        row(
            "R1",
            verdict(RuleOutcome::Pass, None),
            verdict(RuleOutcome::Pass, None),
        ),
        row(
            "R9",
            verdict(RuleOutcome::Fail, Some("the second handshake was full")),
            verdict(RuleOutcome::NotApplicable, Some("nothing unwinds into C")),
        ),
    ]
}
