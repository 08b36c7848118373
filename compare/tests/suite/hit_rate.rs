//! The section `hit_rate`.

use crate::table::terminal_text;
use compare::sections::hit_rate;
use peers::traces::{Kind, Plan, Rate, Store, Tally, measure};
use report::{HitRateRow, Section};

fn plan() -> Plan {
    Plan {
        connections: 4_000,
        servers: 400,
        parts: vec![16, 4],
        ..Plan::full(1)
    }
}

fn rate(tally: Tally, store: Store) -> Rate {
    Rate {
        trace: "crawl".to_owned(),
        store,
        budget: 1,
        tally,
        max_tickets: 0,
    }
}

#[test]
fn every_store_is_in_the_table_with_every_budget() {
    let rates = measure(&plan(), &mut |_| {});
    let violations: Vec<_> = rates.iter().filter_map(hit_rate::violation).collect();
    assert!(violations.is_empty(), "{violations:#?}");

    let rows: Vec<_> = rates.iter().map(hit_rate::row).collect();
    for row in &rows {
        assert!(row.connections >= 1_900, "{row:?}");
        assert!(0.0 < row.rate && row.rate < 1.0, "{row:?}");
    }
    let text = terminal_text(Section::HitRate, |report| report.hit_rate = rows);
    assert!(!text.contains(" - "), "{text}");
    for store in Store::ALL {
        let name = format!(" {store} ");
        let lines = text.lines().filter(|line| line.contains(&name));
        assert_eq!(lines.count(), 2, "{store}\n{text}");
    }
}

/// Checks the order of the stores, not the size of the differences.
#[test]
fn ours_resumes_more_than_the_defaults_of_rustls_and_less_than_the_ceiling() {
    let plan = Plan {
        servers: 2_000,
        kinds: vec![Kind::Crawl, Kind::Mta],
        parts: vec![4],
        ..plan()
    };
    let rates = measure(&plan, &mut |_| {});
    for of_one_budget in rates.chunks(Store::ALL.len()) {
        let resumed = |store| {
            let rate = of_one_budget.iter().find(|rate| rate.store == store);
            rate.unwrap().tally.resumed
        };
        let ours = resumed(Store::TlsResume);
        assert!(
            ours > resumed(Store::RustlsMemoryDefault),
            "{of_one_budget:#?}"
        );
        assert!(ours <= resumed(Store::Ceiling), "{of_one_budget:#?}");
    }
}

#[test]
fn a_table_has_gaps_where_there_is_no_row() {
    let row = |trace: &str, budget| HitRateRow {
        trace: trace.to_owned(),
        store: "lru-8".to_owned(),
        budget,
        connections: 10,
        rate: 0.123_456,
    };
    let rows = vec![row("crawl", 35_000_000), row("mta", 8_750_000)];
    let text = terminal_text(Section::HitRate, |report| report.hit_rate = rows);
    let numbers: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.contains("lru-8"))
        .map(|line| line.trim_matches('│').split_whitespace().collect())
        .collect();
    assert_eq!(
        numbers,
        [
            ["8.8", "lru-8", "-", "12.35"],
            ["35.0", "lru-8", "12.35", "-"]
        ]
    );
}

#[test]
fn offers_that_no_client_may_make_are_violations() {
    let tally = Tally {
        connections: 10,
        ..Tally::default()
    };
    let twice = Tally {
        used_twice: 3,
        ..tally
    };
    let late = Tally {
        expired: 2,
        ..tally
    };
    let violation = |tally, store| hit_rate::violation(&rate(tally, store)).unwrap_or_default();
    assert_eq!(violation(tally, Store::TlsResume), "");
    assert_eq!(
        violation(twice, Store::RustlsMemory),
        "hit rate, crawl, rustls-memory: 3 tickets offered twice, 0 to servers that did not issue \
         them"
    );
    assert_eq!(
        violation(late, Store::TlsResume),
        "hit rate, crawl, tls-resume: 2 expired tickets offered"
    );
    assert_eq!(violation(late, Store::RustlsMemory), "");
}
