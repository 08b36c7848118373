//! The goals, and texts that show a report.

use report::text::{self, Style};
use report::{BurstRow, ContentionRow, FleetRow, HitRateRow, MemoryRow, Report, ScaleRow, goals};

use crate::sample;

/// A report with numbers for every kind of goal but those of handshakes and of single puts.
fn report() -> Report {
    let mut report = Report::new(sample::environment());
    report.store_ops = vec![
        sample::store_op("tls-resume", 1_000, 100.0),
        sample::store_op("rustls-memory", 1_000, 199.0),
        sample::store_op("lru", 1_000, 99.0),
    ];
    let threads = [("tls-resume", 3e6), ("quick_cache", 2e6), ("lru", 4e6)];
    report.contention = threads
        .map(|(store, ops_per_s_per_thread)| ContentionRow {
            store: store.to_owned(),
            mix: "tickets".to_owned(),
            threads: 2,
            ops_per_s_per_thread,
            n: None,
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
    report.scale = vec![
        ScaleRow {
            budget: 1_000,
            bytes_allocated: 1_060,
            p99_99_us: 150.0,
            ..sample::scale("put")
        },
        ScaleRow {
            p99_99_us: 51.0,
            ..sample::scale("empty loop")
        },
    ];
    report.skipped.clear();
    report
}

#[test]
fn goals_are_evaluated() {
    let goals = goals::evaluate(&report());
    let found: Vec<_> = goals
        .iter()
        .map(|goal| (goal.measured.as_str(), goal.reached))
        .collect();
    assert_eq!(
        found,
        [
            ("100 ns, lru 99 ns", false),
            ("1.50x", true),
            ("1024 bytes", true),
            ("0.35x (700 bytes)", true),
            ("50.0 % against 60.0 %", false), // the ceiling does not compete
            ("2.5x", true),
            ("98.5 %", false),
            ("99.0 us (150.0 - 51.0)", true),
            ("+6.0 %", false),
        ],
        "{goals:#?}"
    );
}

/// The results of the goals whose metric contains `metric`.
fn reached(report: &Report, metric: &str) -> Vec<bool> {
    let goals = goals::evaluate(report).into_iter();
    let goals = goals.filter(|goal| goal.metric.contains(metric));
    goals.map(|goal| goal.reached).collect()
}

#[test]
fn a_handshake_is_compared_with_the_usual_cache_of_its_library() {
    let mut report = Report::new(sample::environment());
    for (backend, protocol, peer, ours_ns, peer_ns) in [
        ("rustls", "TLS 1.2", "rustls-memory", 501.0, 500.0),
        ("rustls", "TLS 1.3", "rustls-memory", 500.0, 500.0),
        ("openssl", "TLS 1.2", "hyper-openssl", 650.0, 500.0),
        ("openssl", "TLS 1.3", "hyper-openssl", 650.0, 500.0),
    ] {
        for (store, ns) in [("tls-resume", ours_ns), (peer, peer_ns)] {
            let mut row = sample::handshake(backend, protocol, store, 100.0);
            row.store_ns = Some(ns);
            report.handshakes.push(row);
        }
    }
    let over = "time over in-hand";
    assert_eq!(reached(&report, over), [false, true, true, false]);
    // After unclean ends, hyper-openssl has nothing to compare with.
    for row in &mut report.handshakes {
        row.end = Some("unclean".to_owned());
    }
    assert_eq!(reached(&report, over), [false; 0]);
}

#[test]
fn a_known_group_is_compared_with_in_hand_without_it() {
    let mut report = Report::new(sample::environment());
    for (group, ours) in [("X25519MLKEM768", 102.0), ("X25519", 75.0), ("P-256", 66.0)] {
        for (store, us) in [("in-hand", 100.0), ("tls-resume", ours)] {
            let mut row = sample::handshake("openssl", "TLS 1.3", store, us);
            "default".clone_into(&mut row.offered);
            group.clone_into(&mut row.group);
            report.handshakes.push(row);
        }
    }
    assert_eq!(reached(&report, "group known"), [true, true, false]);
}

#[test]
fn a_put_is_compared_with_three_caches() {
    let mut report = Report::new(sample::environment());
    for (store, ns) in [
        ("tls-resume", 120.0),
        ("lru", 120.0),
        ("rustls-memory", 121.0),
        ("quick_cache", 100.0),
        ("moka", 1.0),
    ] {
        for op in ["put", "put_at_capacity"] {
            let mut row = sample::store_op(store, 1_000, ns);
            op.clone_into(&mut row.op);
            report.store_ops.push(row);
        }
    }
    let expected = [false, true, true, false, true, true];
    assert_eq!(reached(&report, "put"), expected);
}

#[test]
fn sixty_four_processes_are_to_resume_and_to_use_no_ticket_twice() {
    let mut report = Report::new(sample::environment());
    let row = sample::fleet("redis", 64);
    report.fleet = vec![
        sample::fleet("redis", 32),
        row.clone(),
        FleetRow {
            resumed_rate: 0.969,
            used_twice: 1,
            ..row
        },
    ];
    assert_eq!(reached(&report, "64 processes"), [true, true, false, false]);
    assert_eq!(reached(&report, "32 processes"), [false; 0]);
}

#[test]
fn an_older_report_without_an_empty_loop_has_no_goal_of_stalls() {
    let mut report = report();
    report.scale.pop();
    assert_eq!(reached(&report, "p99.99"), [false; 0]);
    assert_eq!(reached(&report, "bytes allocated").len(), 1);
}

#[test]
fn the_text_fits_a_terminal_and_names_missing_sections() {
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
        text.contains("We wrote both the store and the benchmark."),
        "{text}"
    );
}

#[test]
fn invalid_rows_and_zeros_yield_no_goals() {
    let mut report = report();
    report.burst[0].error = Some("no handshake".to_owned());
    report.hit_rate[2].rate = 0.0;
    report.scale[0].budget = 0;
    report.store_ops[0].ns_median = 0.0;
    for row in &mut report.contention {
        row.ops_per_s_per_thread = 0.0;
    }
    let found: Vec<_> = goals::evaluate(&report)
        .into_iter()
        .map(|goal| goal.measured)
        .collect();
    let left = [
        "1024 bytes",
        "0.35x (700 bytes)",
        "50.0 % against 60.0 %",
        "99.0 us (150.0 - 51.0)",
    ];
    assert_eq!(found, left);
}

#[test]
fn a_burst_is_in_the_column_of_its_size() {
    let mut report = report();
    let row = |store: &str, concurrency, resumed_rate| BurstRow {
        store: store.to_owned(),
        concurrency,
        resumed_rate,
        ..report.burst[0].clone()
    };
    report.burst = vec![row("a", 2, 0.5), row("b", 2, 1.0), row("b", 1, 0.25)];
    let table = report::tables::section(report::Section::Burst, &report).remove(0);
    assert_eq!(table.head[1..], ["1, %", "2, %"]);
    let texts = |row: usize| {
        let cells = table.rows[row][1..].iter();
        cells.map(|cell| cell.text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(texts(0), ["-", "50.0"]);
    assert_eq!(texts(1), ["25.0", "100.0"]);
    let best: Vec<_> = table.rows[1].iter().map(|cell| cell.is_best).collect();
    assert_eq!(best, [false, false, true]);
}

#[test]
fn a_report_of_another_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    std::fs::write(&file, "{\"schema\": 2}").unwrap();
    let error = Report::read(&file).unwrap_err().to_string();
    assert!(error.starts_with("of schema 2"), "{error}");
}
