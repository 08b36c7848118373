//! Verdicts on patterns of rows that the suite's servers do not produce at will.

mod addresses;
mod failures;

use serde_json::json;
use tls_resume::TierStats;

use crate::client::TierReport;
use crate::finding::{AddressRow, AgainRow, BreaksRow, TwiceRow};
use crate::verdict::{Code, Evidence, Verdict};
use crate::{Backend, ConnectionRow, Failure, Options};

/// Offered, resumed, tickets.
type Row = (bool, bool, usize);

const FULL: Row = (false, false, 2);
const RESUMED: Row = (true, true, 2);
const DECLINED: Row = (true, false, 2);

/// Evidence that a test may change.
struct Observed {
    options: Options,
    rows: Vec<ConnectionRow>,
    addresses: Vec<AddressRow>,
    twice: Option<TwiceRow>,
    again: Option<AgainRow>,
    breaks: Option<BreaksRow>,
    tier: Option<TierReport>,
}

impl Observed {
    fn new(rows: &[Row]) -> Self {
        let mut before = 0;
        let rows = (1..)
            .zip(rows)
            .map(|(connection, &(offered, resumed, tickets))| {
                let row = json!({
                    "backend": "rustls", "connection": connection, "protocol": "TLS 1.3",
                    "offered": offered, "resumed": resumed, "tickets": tickets, "bytes_in": 1,
                    "bytes_out": 1, "sessions_before": before,
                });
                before += tickets;
                serde_json::from_value(row).unwrap()
            })
            .collect();
        Self {
            options: Options::new("example.org".parse().unwrap()),
            rows,
            addresses: Vec::new(),
            twice: None,
            again: None,
            breaks: None,
            tier: None,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn verdict(&self) -> Verdict {
        let evidence = Evidence {
            options: &self.options,
            rows: &self.rows,
            addresses: &self.addresses,
            addresses_known: self.addresses.len(),
            speaks_tls: true,
            twice: self.twice.as_ref(),
            again: self.again.as_ref(),
            breaks: self.breaks.as_ref(),
            burst: None,
            tier: self.tier.as_ref(),
        };
        let verdict = Verdict::new(Backend::Rustls, &evidence, self.rows.len());
        assert_eq!(
            verdict.remedy.is_none(),
            verdict.code.is_good(),
            "{verdict:?}"
        );
        assert_one_line(&verdict.text);
        assert_one_line(verdict.remedy.as_deref().unwrap_or_default());
        verdict
    }
}

fn assert_one_line(text: &str) {
    assert!(!text.contains("  ") && !text.contains('\n'), "{text:?}");
    assert_eq!(text.trim(), text);
    assert!(!text.ends_with('.'), "{text:?}");
}

#[test]
fn each_code_has_a_pattern() {
    const NONE: Row = (false, false, 0);
    const RESUMED_WITHOUT_MORE: Row = (true, true, 0);
    for (rows, code) in [
        (&[FULL, RESUMED, RESUMED][..], Code::Resumes),
        (&[FULL, RESUMED, DECLINED], Code::Partly),
        (&[FULL, DECLINED, DECLINED], Code::NeverResumes),
        (&[FULL, FULL], Code::NeverResumes),
        (&[NONE, NONE, NONE], Code::NoTickets),
        (&[FULL], Code::NotTried),
        (&[NONE], Code::NoTickets),
        // The first session arrived too late for the second connection.
        (&[NONE, FULL, RESUMED], Code::Resumes),
        (&[NONE, FULL], Code::NotTried),
        (
            &[FULL, RESUMED_WITHOUT_MORE, RESUMED_WITHOUT_MORE, FULL],
            Code::TicketsUsedUp,
        ),
    ] {
        let verdict = Observed::new(rows).verdict();
        assert_eq!(verdict.code, code, "{rows:?}: {verdict:?}");
    }
}

#[test]
fn the_first_session_can_come_from_the_store() {
    let with_tier = |observed: &mut Observed| {
        let Ok(location) = "lmdb:somewhere".parse();
        observed.options.store = location;
    };
    for (rows, code, expected) in [
        (&[RESUMED][..], Code::Resumes, "the first with a session"),
        (&[RESUMED; 3], Code::Resumes, "the first with a session"),
        (
            &[DECLINED],
            Code::NotTried,
            "declined the session from the store",
        ),
        (&[DECLINED, RESUMED], Code::Partly, "declined 1 of 2"),
        (&[DECLINED; 2], Code::NeverResumes, "declined all 2"),
    ] {
        let verdict = Observed::new(rows).with(with_tier).verdict();
        assert_eq!(verdict.code, code, "{rows:?}: {verdict:?}");
        assert!(verdict.text.contains(expected), "{rows:?}: {verdict:?}");
    }
    let without = Observed::new(&[FULL, RESUMED]).verdict();
    assert!(!without.text.contains("store"), "{without:?}");
}

#[test]
fn problems_of_the_store_are_named() {
    let stats = |count: &str| -> TierStats {
        let mut json = serde_json::to_value(TierStats::default()).unwrap();
        json[count] = 2.into();
        serde_json::from_value(json).unwrap()
    };
    for (count, complete, expected) in [
        ("failures", false, "failed (2x)"),
        ("failures", false, "does not have all sessions"),
        (
            "rejected_unknown_key",
            true,
            "2 records of the store are sealed",
        ),
        (
            "rejected_tampered",
            true,
            "2 records of the store were rejected",
        ),
    ] {
        let stats = stats(count);
        let tier = Some(TierReport { complete, stats });
        let verdict = Observed::new(&[FULL])
            .with(|observed| observed.tier = tier)
            .verdict();
        assert!(verdict.text.contains(expected), "{verdict:?}");
    }
    let (complete, stats) = (true, stats("written"));
    let tier = Some(TierReport { complete, stats });
    let with = Observed::new(&[FULL])
        .with(|observed| observed.tier = tier)
        .verdict();
    assert_eq!(with, Observed::new(&[FULL]).verdict());
}

#[test]
fn tickets_of_zero_lifetime_are_never_resumed() {
    let zero = |observed: &mut Observed| {
        for row in &mut observed.rows {
            row.lifetime_s = Some(0);
        }
    };
    let verdict = Observed::new(&[FULL, FULL]).with(zero).verdict();
    assert_eq!(verdict.code, Code::NeverResumes);
    assert!(verdict.text.contains("valid for 0 s"), "{verdict:?}");
    let unknown = Observed::new(&[FULL, FULL]).verdict();
    assert!(!unknown.text.contains("0 s"), "{unknown:?}");
}

#[test]
fn sessions_declined_now_and_then_have_several_causes() {
    let again = |offered, resumed| {
        let backend = Backend::Rustls;
        move |observed: &mut Observed| {
            observed.again = Some(AgainRow {
                backend,
                offered,
                resumed,
            });
        }
    };
    for (rows, offered, resumed, code, mixed) in [
        (&[FULL, RESUMED, DECLINED][..], 6, 3, Code::Partly, true),
        (&[FULL, RESUMED, DECLINED], 6, 6, Code::Partly, false),
        (&[FULL, RESUMED, DECLINED], 6, 0, Code::Partly, false),
        (&[FULL, DECLINED], 6, 3, Code::Partly, true),
        (&[FULL, DECLINED], 6, 0, Code::NeverResumes, false),
    ] {
        let verdict = Observed::new(rows).with(again(offered, resumed)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let remedy = verdict.remedy.unwrap();
        // A single server that declines every second session looks the same.
        assert!(remedy.starts_with("either several machines"), "{remedy}");
        assert_eq!(remedy.contains("let the balancer"), mixed, "{remedy}");
        if code == Code::Partly {
            assert!(remedy.contains("cache is full"), "{remedy}");
        }
    }
}

#[test]
fn different_versions_are_not_different_keys() {
    let versions = |versions: &'static [&'static str]| {
        move |observed: &mut Observed| {
            for (row, version) in observed.rows.iter_mut().zip(versions) {
                row.protocol = Some((*version).to_owned());
            }
        }
    };
    let mixed = ["TLS 1.3", "TLS 1.2", "TLS 1.3", "TLS 1.2", "TLS 1.3"].as_slice();
    for (rows, code) in [
        (
            &[FULL, DECLINED, RESUMED, DECLINED, RESUMED][..],
            Code::Partly,
        ),
        (
            &[FULL, DECLINED, DECLINED, DECLINED, DECLINED],
            Code::NeverResumes,
        ),
    ] {
        let verdict = Observed::new(rows).with(versions(mixed)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let expected = "speaks TLS 1.3 in 3 connections and TLS 1.2 in 2: a session of one version";
        assert!(verdict.text.contains(expected), "{verdict:?}");
        assert!(verdict.remedy.unwrap().contains("ssl_protocols"));
    }
    let verdict = Observed::new(&[FULL, RESUMED, RESUMED, RESUMED, RESUMED])
        .with(versions(mixed))
        .verdict();
    assert_eq!(verdict.code, Code::Resumes);
    assert!(
        verdict.text.contains("it speaks TLS 1.3 in 3"),
        "{verdict:?}"
    );
}

#[test]
fn only_the_first_of_two_offers_counts() {
    for (first, second, error, code, expected) in [
        (true, true, None, Code::Resumes, "2 of 3 connections did"),
        (true, false, None, Code::Resumes, "declined the second time"),
        (false, false, None, Code::Partly, "declined 1 of 3"),
        (false, false, Some("reset"), Code::Resumes, "2 of 3"),
    ] {
        let error = error.map(str::to_owned);
        let backend = Backend::OpenSsl;
        let twice = TwiceRow {
            backend,
            first,
            second,
            error,
        };
        let verdict = Observed::new(&[FULL, RESUMED, RESUMED])
            .with(|observed| observed.twice = Some(twice))
            .verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        assert!(verdict.text.contains(expected), "{verdict:?}");
    }
}

#[test]
fn a_server_that_renews_nothing_and_accepts_a_ticket_twice_is_named() {
    const RENEWS_NOTHING: Row = (true, true, 0);
    let twice = |second| {
        move |observed: &mut Observed| {
            observed.twice = Some(TwiceRow {
                backend: Backend::Rustls,
                first: true,
                second,
                error: None,
            });
        }
    };
    for (rows, second, code, expected) in [
        (
            &[FULL, RENEWS_NOTHING, RENEWS_NOTHING, FULL][..],
            true,
            Code::TicketsUsedUp,
            Some("none after a resumed one, but accepts a ticket twice"),
        ),
        // Too few connections to use the tickets up.
        (
            &[FULL, RENEWS_NOTHING],
            true,
            Code::Resumes,
            Some("no ticket after a resumed handshake and accepts a ticket twice"),
        ),
        (&[FULL, RENEWS_NOTHING], false, Code::Resumes, None),
        (&[FULL, RESUMED], true, Code::Resumes, None),
    ] {
        let verdict = Observed::new(rows).with(twice(second)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        assert_eq!(
            verdict.text.matches("accepts a ticket twice").count(),
            usize::from(expected.is_some())
        );
        assert!(
            verdict.text.contains(expected.unwrap_or_default()),
            "{verdict:?}"
        );
        if code == Code::TicketsUsedUp {
            let remedy = verdict.remedy.unwrap();
            assert!(remedy.contains("each ticket once"), "{remedy}");
        }
    }
}
