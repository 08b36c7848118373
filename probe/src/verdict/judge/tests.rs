//! Patterns of rows that no server of the tests makes at will.

use serde_json::json;
use tls_resume::TierStats;

use crate::client::HandedOver;
use crate::finding::{AddressRow, AgainRow};
use crate::verdict::{Code, Evidence, Verdict};
use crate::{Backend, ConnectionRow, Failure, Options};

/// Offered, resumed, tickets.
type Row = (bool, bool, usize);

const FULL: Row = (false, false, 2);
const RESUMED: Row = (true, true, 2);
const DECLINED: Row = (true, false, 2);

/// What is judged, to be changed by a test.
struct Seen {
    options: Options,
    rows: Vec<ConnectionRow>,
    addresses: Vec<AddressRow>,
    again: Option<AgainRow>,
    store: Option<HandedOver>,
}

impl Seen {
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
            again: None,
            store: None,
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
            again: self.again.as_ref(),
            burst: None,
            store: self.store.as_ref(),
        };
        let verdict = Verdict::of(Backend::Rustls, &evidence, self.rows.len());
        assert_eq!(
            verdict.remedy.is_none(),
            verdict.code.is_good(),
            "{verdict:?}"
        );
        verdict
    }
}

#[test]
fn each_answer_has_its_pattern() {
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
        // The first session came too late for the second connection.
        (&[NONE, FULL, RESUMED], Code::Resumes),
        (&[NONE, FULL], Code::NotTried),
        (
            &[FULL, RESUMED_WITHOUT_MORE, RESUMED_WITHOUT_MORE, FULL],
            Code::TicketsUsedUp,
        ),
    ] {
        let verdict = Seen::new(rows).verdict();
        assert_eq!(verdict.code, code, "{rows:?}: {verdict:?}");
    }
}

#[test]
fn the_first_session_can_come_from_the_store() {
    let with_store = |seen: &mut Seen| {
        let Ok(place) = "lmdb:somewhere".parse();
        seen.options.store = place;
    };
    for (rows, code, says) in [
        (&[RESUMED][..], Code::Resumes, "the first with a session"),
        (&[RESUMED; 3], Code::Resumes, "the first with a session"),
        (&[DECLINED], Code::NotTried, "declined what the store"),
        (&[DECLINED, RESUMED], Code::Partly, "declined 1 of 2"),
        (&[DECLINED; 2], Code::NeverResumes, "declined all 2"),
    ] {
        let verdict = Seen::new(rows).with(with_store).verdict();
        assert_eq!(verdict.code, code, "{rows:?}: {verdict:?}");
        assert!(verdict.text.contains(says), "{rows:?}: {verdict:?}");
    }
    let without = Seen::new(&[FULL, RESUMED]).verdict();
    assert!(!without.text.contains("store"), "{without:?}");
}

#[test]
fn a_store_in_trouble_is_told_of() {
    let stats = |count: &str| -> TierStats {
        let mut json = serde_json::to_value(TierStats::default()).unwrap();
        json[count] = 2.into();
        serde_json::from_value(json).unwrap()
    };
    for (count, complete, says) in [
        ("failures", false, "failed (2x)"),
        ("failures", false, "does not have all"),
        ("rejected_unknown_key", true, "2 of its records are sealed"),
        ("rejected_tampered", true, "2 of its records were rejected"),
    ] {
        let stats = stats(count);
        let store = Some(HandedOver { complete, stats });
        let verdict = Seen::new(&[FULL]).with(|seen| seen.store = store).verdict();
        assert!(verdict.text.contains(says), "{verdict:?}");
    }
    let (complete, stats) = (true, stats("written"));
    let store = Some(HandedOver { complete, stats });
    let with = Seen::new(&[FULL]).with(|seen| seen.store = store).verdict();
    assert_eq!(with, Seen::new(&[FULL]).verdict());
}

#[test]
fn a_failure_is_what_counts() {
    let mut seen = Seen::new(&[FULL, RESUMED, RESUMED, RESUMED]);
    for (row, why) in seen.rows.iter_mut().zip(["reset", "reset", "slow"]) {
        row.error = Some(why.to_owned());
        row.failure = Some(Failure::Closed);
    }
    let verdict = seen.verdict();
    assert_eq!(verdict.code, Code::HandshakeFailed);
    assert_eq!(verdict.text, "3 of 4 handshakes failed: reset");
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["code"], "handshake_failed");
}

#[test]
fn tickets_that_may_not_be_used() {
    let zero = |seen: &mut Seen| {
        for row in &mut seen.rows {
            row.lifetime_s = Some(0);
        }
    };
    let verdict = Seen::new(&[FULL, FULL]).with(zero).verdict();
    assert_eq!(verdict.code, Code::NeverResumes);
    assert!(verdict.text.contains("valid for 0 s"), "{verdict:?}");
    let unknown = Seen::new(&[FULL, FULL]).verdict();
    assert!(!unknown.text.contains("0 s"), "{unknown:?}");
}

#[test]
fn a_server_that_declines_now_and_then_may_be_several() {
    let again = |offered, resumed| {
        let backend = Backend::Rustls;
        move |seen: &mut Seen| {
            seen.again = Some(AgainRow {
                backend,
                offered,
                resumed,
            });
        }
    };
    for (rows, offered, resumed, code, certain) in [
        (&[FULL, RESUMED, DECLINED][..], 6, 3, Code::Partly, true),
        (&[FULL, RESUMED, DECLINED], 6, 6, Code::Partly, false),
        (&[FULL, RESUMED, DECLINED], 6, 0, Code::Partly, false),
        (&[FULL, DECLINED], 6, 3, Code::Partly, true),
        (&[FULL, DECLINED], 6, 0, Code::NeverResumes, false),
    ] {
        let verdict = Seen::new(rows).with(again(offered, resumed)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let remedy = verdict.remedy.unwrap();
        assert_eq!(remedy.starts_with("several machines"), certain, "{remedy}");
    }
}

#[test]
fn addresses_that_declined_nothing_do_not_differ() {
    let row = |from: &str, to: &str, offered, resumed, failure: Option<Failure>| AddressRow {
        backend: Backend::Rustls,
        from: from.to_owned(),
        to: to.to_owned(),
        offered,
        resumed,
        error: failure.map(|_| "reset".to_owned()),
        failure,
    };
    for (crossed, code) in [
        (row("a", "b", true, true, None), Code::Resumes),
        (row("a", "b", true, false, None), Code::AddressesDiffer),
        (row("a", "b", false, false, None), Code::Resumes),
        (
            row("a", "b", true, false, Some(Failure::Closed)),
            Code::AddressFailed,
        ),
    ] {
        let verdict = Seen::new(&[FULL, RESUMED])
            .with(|seen| {
                let itself = |one| row(one, one, true, true, None);
                seen.addresses = vec![itself("a"), itself("b"), crossed.clone()];
            })
            .verdict();
        assert_eq!(verdict.code, code, "{crossed:?}: {verdict:?}");
    }
}
