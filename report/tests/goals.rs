//! The goals, and the text that shows them.

mod common;

use report::text::{self, Style};
use report::{BurstRow, ContentionRow, HitRateRow, MemoryRow, Report, ScaleRow, goals};

/// A number for each goal that there can be but for those of the handshakes.
fn report() -> Report {
    let mut report = Report::new(common::environment());
    report.store_ops = vec![
        common::store_op("tls-resume", 1_000, 100.0),
        common::store_op("rustls-memory", 1_000, 199.0),
    ];
    let threads = [("tls-resume", 3e6), ("lru", 2e6), ("moka", 1e6)];
    report.contention = threads
        .map(|(store, ops_per_s_per_thread)| ContentionRow {
            store: store.to_owned(),
            mix: "tickets".to_owned(),
            threads: 2,
            ops_per_s_per_thread,
        })
        .into();
    let rates = [
        ("tls-resume", 0.5),
        ("lru", 0.6),
        ("rustls-memory-default", 0.2),
        ("ceiling", 0.9),
    ];
    report.hit_rate = rates
        .map(|(store, rate)| HitRateRow {
            trace: "crawl".to_owned(),
            store: store.to_owned(),
            budget: 1 << 20,
            connections: 10,
            rate,
        })
        .into();
    report.burst = vec![BurstRow {
        backend: "openssl".to_owned(),
        store: "tls-resume".to_owned(),
        protocol: "TLS 1.3".to_owned(),
        tickets: (2, 1),
        concurrency: 64,
        rounds: 4,
        resumed_rate: 0.985,
        error: None,
    }];
    report.memory = vec![MemoryRow {
        store: "tls-resume".to_owned(),
        session: "preview".to_owned(),
        protocol: "TLS 1.3".to_owned(),
        bytes_empty: 1_024,
        bytes_empty_sized: 2_048,
        chain_bytes: 3_000,
        servers: 1_000,
        handshakes_per_server: 4,
        sessions: 4_000,
        bytes_per_session: 700.0,
        resident_per_session: 710.0,
        counted_per_session: Some(800.0),
        bytes_per_session_after_churn: None,
        ratio_to_rustls_memory: Some(0.35),
    }];
    report.scale = vec![ScaleRow {
        budget: 1_000,
        bytes_allocated: 1_060,
        ..common::scale("put")
    }];
    report.skipped.clear();
    report
}

#[test]
fn a_goal_is_reached_or_it_is_not() {
    let goals = goals::of(&report());
    let found: Vec<_> = goals
        .iter()
        .map(|goal| (goal.found.as_str(), goal.reached))
        .collect();
    assert_eq!(
        found,
        [
            ("1.99x (100 ns)", false),
            ("1.50x", true),
            ("1024 bytes", true),
            ("0.35x (700 bytes)", true),
            ("50.0 % against 60.0 %", false), // the ceiling is no store
            ("2.5x", true),
            ("98.5 %", false),
            ("99.0 us", true),
            ("+6.0 %", false),
        ],
        "{goals:#?}"
    );
}

#[test]
fn the_text_fits_a_terminal_and_says_what_is_missing() {
    let mut report = report();
    let text = text::all(&report, Style::Terminal);
    assert!(text.contains("Goals: 5 of 9 are reached."), "{text}");
    let too_wide = text.lines().find(|line| line.chars().count() > 100);
    assert_eq!(too_wide, None);

    report
        .skipped
        .insert("burst".to_owned(), "no time".to_owned());
    let text = text::all(&report, Style::Markdown);
    assert!(text.contains("skipped: burst: no time"), "{text}");
    assert!(
        text.contains("We wrote the store and the benchmark."),
        "{text}"
    );
}
