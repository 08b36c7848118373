//! `compare report`: a saved report, printed again or put into a page.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{compare, file};
use compare::environment;
use report::goals;
use report::{BurstRow, ContentionRow, HitRateRow, MemoryRow, Report, ScaleRow, StoreOpRow};

fn report() -> Report {
    let mut report = Report::new(environment::detect(1));
    let op = |store: &str, ns_median| StoreOpRow {
        store: store.to_owned(),
        op: "put+take".to_owned(),
        servers: 1_000,
        ns_median,
        allocations: Some(0.0),
    };
    report.store_ops = vec![op("tls-resume", 100.0), op("rustls-memory", 199.0)];
    let threads = |store: &str, ops_per_s_per_thread| ContentionRow {
        store: store.to_owned(),
        mix: "tickets".to_owned(),
        threads: 2,
        ops_per_s_per_thread,
    };
    report.contention = vec![
        threads("tls-resume", 3e6),
        threads("lru", 2e6),
        threads("moka", 1e6),
    ];
    let rate = |store: &str, rate| HitRateRow {
        trace: "crawl".to_owned(),
        store: store.to_owned(),
        budget: 1 << 20,
        connections: 10,
        rate,
    };
    report.hit_rate = vec![
        rate("tls-resume", 0.5),
        rate("lru", 0.6),
        rate("rustls-memory-default", 0.2),
        rate("ceiling", 0.9),
    ];
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
        op: "put".to_owned(),
        servers: 1_000_000,
        budget: 1_000,
        bytes_counted: 990,
        bytes_allocated: 1_060,
        n: 1,
        p50_us: 1.0,
        p99_us: 2.0,
        p99_9_us: 3.0,
        p99_99_us: 99.0,
        max_us: 500.0,
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

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn a_saved_report_is_shown_again_the_same_each_time() {
    let directory = directory("shown-again");
    let saved = directory.join("report.json");
    report().save(&saved).unwrap();
    let args = ["report", saved.to_str().unwrap()];
    let ran = compare(&args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out.contains("Goals: 5 of 9 are reached."),
        "{}",
        ran.out
    );
    let too_wide = ran.out.lines().find(|line| line.chars().count() > 160);
    assert_eq!(too_wide, None);
    assert_eq!(compare(&args).out, ran.out);

    let page = directory.join("page.md");
    let text = "# Title\n\n<!-- measured: written by `compare report` -->\nold\n<!-- end of what \
                was measured -->\n\nend\n";
    fs::write(&page, text).unwrap();
    let args = ["report", args[1], "--into", page.to_str().unwrap()];
    assert_eq!(compare(&args).code, 0);
    let once = fs::read_to_string(&page).unwrap();
    assert!(
        once.starts_with("# Title\n") && once.ends_with("-->\n\nend\n"),
        "{once}"
    );
    assert!(
        once.contains("| what ") && !once.contains("\nold\n"),
        "{once}"
    );
    assert_eq!(compare(&args).code, 0);
    assert_eq!(fs::read_to_string(&page).unwrap(), once);
}

#[test]
fn what_is_no_report_or_no_page_is_said_in_a_line() {
    let directory = directory("no-report");
    let (saved, page) = (
        directory.join("report.json"),
        file("no-marks.md", "no marks"),
    );
    report().save(&saved).unwrap();
    let [saved, page] = [&saved, &page].map(|path| path.to_str().unwrap());
    for (args, says) in [
        (&["report", "/does/not/exist"][..], "/does/not/exist: "),
        (&["report", page], "not a report"),
        (&["report", saved, "--into", page], "has no line"),
        (&["report"], "FILE"),
    ] {
        let ran = compare(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        ran.one_line(says);
    }
    assert_eq!(fs::read_to_string(page).unwrap(), "no marks");
}
