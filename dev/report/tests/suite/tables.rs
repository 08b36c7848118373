//! The tables at 100 columns, with all stores, operations and traces of a real run.

use std::collections::HashSet;

use report::tables::{self, Table};
use report::text::{self, Style};
use report::{ContentionRow, HitRateRow, MemoryRow, Report, Section, TierRow};

use crate::sample;

/// [`sample::full`] with the longest names of every table.
fn widest() -> Report {
    let mut report = sample::full();
    let stores = [
        "tls-resume",
        "rustls-memory",
        "hyper-openssl",
        "lru",
        "quick_cache",
        "moka",
    ];
    report.store_ops.clear();
    for servers in [1, 100_000] {
        for (ns, store) in (100_u32..).step_by(777).zip(stores) {
            for op in [
                "put",
                "take",
                "put+take",
                "miss",
                "put_at_capacity",
                "hint",
                "set_hint",
            ] {
                let mut row = sample::store_op(store, servers, f64::from(ns));
                op.clone_into(&mut row.op);
                report.store_ops.push(row);
            }
        }
    }
    for (provider, server, key) in [
        ("aws-lc-rs", "openssl", "rsa-2048"),
        ("aws-lc-rs", "openssl", "ecdsa-p256"),
        ("ring", "openssl", "ecdsa-p384"),
    ] {
        for store in ["none", "in-hand", "tls-resume"] {
            let mut row = sample::handshake("rustls", "TLS 1.3", store, 12_345.6);
            provider.clone_into(&mut row.provider);
            server.clone_into(&mut row.server);
            key.clone_into(&mut row.key);
            "X25519MLKEM768".clone_into(&mut row.group);
            "default".clone_into(&mut row.offered);
            report.handshakes.push(row);
        }
    }
    for trace in ["zipf-0.7", "zipf-0.9", "zipf-1.1"] {
        let rows: Vec<_> = report.hit_rate.iter().take(10).cloned().collect();
        report
            .hit_rate
            .extend(rows.into_iter().map(|row| HitRateRow {
                trace: trace.to_owned(),
                ..row
            }));
    }
    let rows: Vec<_> = report.memory.clone();
    report.memory.extend(rows.into_iter().map(|row| MemoryRow {
        servers: 100_000,
        sessions: 1_000_000,
        bytes_empty: 12_345_678,
        bytes_per_session_after_churn: Some(12_345.0),
        ..row
    }));
    let rows: Vec<_> = report.tiers.clone();
    report.tiers.extend(rows.into_iter().map(|row| TierRow {
        tier: "redis".to_owned(),
        median_us: row.median_us * 101.0,
        p99_us: row.p99_us * 101.0,
        ..row
    }));
    let rows: Vec<_> = report.contention.iter().take(4).cloned().collect();
    report
        .contention
        .extend(rows.into_iter().map(|row| ContentionRow {
            store: "in-hand, rustls-preview".to_owned(),
            mix: "resumed handshakes, TLS 1.3, client's time".to_owned(),
            ..row
        }));
    report
}

/// All tables of the report.
fn all(report: &Report) -> Vec<Table> {
    let sections = Section::ALL.map(|section| tables::section(section, report));
    let mut all: Vec<_> = sections.into_iter().flatten().collect();
    all.extend(tables::goals(report));
    all
}

#[test]
fn no_header_or_name_is_broken_inside_a_word() {
    for report in [sample::full(), widest()] {
        for table in all(&report) {
            let text = Style::Terminal.show(&table);
            let lines: Vec<_> = text.lines().collect();
            let too_wide = lines.iter().find(|line| line.chars().count() > 100);
            assert_eq!(too_wide, None, "{text}");
            let is_border = |letter: char| letter.is_whitespace() || "│┆".contains(letter);
            let shown: HashSet<_> = text.split(is_border).collect();
            let cells = table.rows.iter().flatten().map(|cell| &cell.text);
            for word in table
                .head
                .iter()
                .chain(cells)
                .flat_map(|text| text.split(' '))
            {
                let marked = format!("*{word}");
                let is_whole = shown.contains(word) || shown.contains(marked.as_str());
                assert!(is_whole, "{word} is broken:\n{text}");
            }
        }
    }
}

#[test]
fn units_are_in_the_headers() {
    for table in all(&widest())
        .iter()
        .filter(|table| !table.title.starts_with("Goals"))
    {
        for row in &table.rows {
            for cell in &row[table.words..] {
                let is_number = cell.text.parse::<f64>().is_ok() || cell.text == "-";
                assert!(is_number, "{}: {}", table.title, cell.text);
            }
        }
    }
}

#[test]
fn the_best_store_of_each_comparison_is_marked() {
    let report = widest();
    let marks = |section: Section| -> Vec<(String, String)> {
        let tables = tables::section(section, &report);
        let rows = tables.into_iter().flat_map(|table| table.rows);
        let marked = rows.flat_map(|row| {
            let label = row[1].text.clone();
            let best: Vec<_> = row.into_iter().filter(|cell| cell.is_best).collect();
            best.into_iter().map(move |cell| (label.clone(), cell.text))
        });
        marked.collect()
    };
    // The best of seven operations with each of two numbers of servers; the allocations are all
    // equal.
    let best = ("tls-resume".to_owned(), "100".to_owned());
    assert_eq!(marks(Section::Store), vec![best; 14]);
    // The ceiling, which is as good as ours, does not compete.
    let hit_rate = marks(Section::HitRate);
    assert!(!hit_rate.is_empty());
    assert!(hit_rate.iter().all(|(store, _)| store == "tls-resume"));
    let text = text::section(Section::Store, &report, Style::Terminal);
    assert!(text.contains(" *100 "), "{text}");
    assert!(
        text.contains("\n*: the best store with this number of servers"),
        "{text}"
    );
    let page = report::html::page(&report).unwrap();
    assert!(page.contains("<strong>100</strong>"));
    assert!(page.contains("Bold: the best store with this number of servers."));
}
