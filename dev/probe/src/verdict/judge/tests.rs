//! Patterns of rows that no server of the tests makes at will.

use serde_json::json;
use tls_resume::TierStats;

use crate::client::HandedOver;
use crate::finding::{AddressRow, AgainRow, TwiceRow};
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
    twice: Option<TwiceRow>,
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
            twice: None,
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
            twice: self.twice.as_ref(),
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
    for (row, why) in seen.rows.iter_mut().zip([
        ("reset 1", Failure::Closed),
        // The words differ, the failure does not.
        ("reset 2", Failure::Closed),
        ("slow", Failure::Silent),
    ]) {
        row.error = Some(why.0.to_owned());
        row.failure = Some(why.1);
    }
    let verdict = seen.verdict();
    assert_eq!(verdict.code, Code::HandshakeFailed);
    assert_eq!(verdict.text, "3 of 4 handshakes failed: reset 1");
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
    for (rows, offered, resumed, code, mixed) in [
        (&[FULL, RESUMED, DECLINED][..], 6, 3, Code::Partly, true),
        (&[FULL, RESUMED, DECLINED], 6, 6, Code::Partly, false),
        (&[FULL, RESUMED, DECLINED], 6, 0, Code::Partly, false),
        (&[FULL, DECLINED], 6, 3, Code::Partly, true),
        (&[FULL, DECLINED], 6, 0, Code::NeverResumes, false),
    ] {
        let verdict = Seen::new(rows).with(again(offered, resumed)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let remedy = verdict.remedy.unwrap();
        // A single server that declines every second looks the same.
        assert!(remedy.starts_with("either several machines"), "{remedy}");
        assert_eq!(remedy.contains("let the balancer"), mixed, "{remedy}");
        if code == Code::Partly {
            assert!(remedy.contains("cache is full"), "{remedy}");
        }
    }
}

type Offer<'a> = (&'a str, &'a str, bool, bool);

const ITSELF_A: Offer<'_> = ("a", "a", true, true);
const ITSELF_B: Offer<'_> = ("b", "b", true, true);

fn address((from, to, offered, resumed): Offer<'_>) -> AddressRow {
    AddressRow {
        backend: Backend::Rustls,
        from: from.to_owned(),
        to: to.to_owned(),
        offered,
        resumed,
        error: None,
        failure: None,
        protocol: Some("TLS 1.3".to_owned()),
    }
}

fn failed_at(to: &str) -> AddressRow {
    AddressRow {
        error: Some("reset".to_owned()),
        failure: Some(Failure::Closed),
        protocol: None,
        ..address((to, to, false, false))
    }
}

/// The verdict where the connections have these rows, and the addresses these.
fn at_addresses(rows: &[Row], offers: &[Offer<'_>]) -> Verdict {
    Seen::new(rows)
        .with(|seen| seen.addresses = offers.iter().copied().map(address).collect())
        .verdict()
}

const A_TO_B: Offer<'_> = ("a", "b", true, false);
const B_TO_A: Offer<'_> = ("b", "a", true, false);

#[test]
fn addresses_differ_only_if_they_always_do() {
    let (to_b, to_a) = (("a", "b", true, true), ("b", "a", true, true));
    let both = [A_TO_B, A_TO_B, B_TO_A, B_TO_A];
    for (crossed, code, certain) in [
        (&[to_b, to_a][..], Code::Resumes, None),
        (&[("a", "b", false, false)], Code::Resumes, None),
        (&both, Code::AddressesDiffer, Some(true)),
        // Once, and then not: chance.
        (&[A_TO_B, to_b, to_a], Code::Partly, Some(false)),
        // Asked once only.
        (&[A_TO_B], Code::Partly, Some(false)),
        // One direction only.
        (&[A_TO_B, A_TO_B, to_a], Code::AddressesDiffer, Some(false)),
        (&[A_TO_B, A_TO_B], Code::AddressesDiffer, Some(false)),
    ] {
        let offers = [&[ITSELF_A, ITSELF_B], crossed].concat();
        let verdict = at_addresses(&[FULL, RESUMED], &offers);
        assert_eq!(verdict.code, code, "{crossed:?}: {verdict:?}");
        if let Some(certain) = certain {
            let remedy = verdict.remedy.unwrap();
            assert_eq!(remedy.starts_with("give all machines"), certain, "{remedy}");
            assert_eq!(remedy.contains("cache is full"), !certain, "{remedy}");
        }
    }
    // Nor is it certain where sessions are declined at home.
    let offers = [&[ITSELF_A, ITSELF_B], &both[..]].concat();
    let verdict = at_addresses(&[FULL, RESUMED, DECLINED], &offers);
    assert_eq!(verdict.code, Code::AddressesDiffer, "{verdict:?}");
    assert!(verdict.remedy.unwrap().starts_with("either"));
}

#[test]
fn an_address_that_resumes_nothing_is_named() {
    const NONE: Offer<'_> = ("b", "b", false, false);
    const DECLINES: Offer<'_> = ("b", "b", true, false);
    const NO_TICKETS: Row = (false, false, 0);
    for (rows, offers, says) in [
        (&[FULL, RESUMED][..], &[ITSELF_A, NONE][..], "b gives no"),
        (&[NO_TICKETS; 3], &[NONE, ITSELF_A], "b gives no sessions"),
        (
            &[FULL, RESUMED],
            &[ITSELF_A, DECLINES, DECLINES],
            "b declined all 2",
        ),
    ] {
        let verdict = at_addresses(rows, offers);
        assert_eq!(verdict.code, Code::Partly, "{offers:?}: {verdict:?}");
        assert!(verdict.text.contains(says), "{verdict:?}");
        assert!(verdict.remedy.unwrap().contains("these addresses"));
    }
    // Declined once, and then resumed: not for nothing, but not every time.
    let verdict = at_addresses(&[FULL, RESUMED], &[ITSELF_A, DECLINES, ITSELF_B]);
    assert_eq!(verdict.code, Code::Partly, "{verdict:?}");
    assert!(verdict.text.contains("declined 1 of 4"), "{verdict:?}");
    assert!(!verdict.text.contains("not every address"), "{verdict:?}");
    // If no address resumes, it is not the address.
    let none = at_addresses(&[NO_TICKETS; 3], &[("a", "a", false, false), NONE]);
    assert_eq!(none.code, Code::NoTickets, "{none:?}");
}

#[test]
fn addresses_are_evidence_when_one_connection_is_not() {
    let crossed = [("a", "b", true, true), ("b", "a", true, true)];
    let offers = [&[ITSELF_A, ITSELF_B], &crossed[..]].concat();
    let verdict = at_addresses(&[FULL], &offers);
    assert_eq!(verdict.code, Code::Resumes, "{verdict:?}");
    assert!(verdict.text.contains("4 of 4"), "{verdict:?}");
    let declined = [("a", "a", true, false); 2];
    let verdict = at_addresses(&[FULL], &declined);
    assert_eq!(verdict.code, Code::NeverResumes, "{verdict:?}");
    assert!(verdict.text.contains("declined all 2"), "{verdict:?}");
}

#[test]
fn an_address_that_failed_is_told_of_whatever_the_answer_is() {
    const LAST: Row = (true, true, 0);
    for (rows, code) in [
        (&[FULL, RESUMED][..], Code::AddressFailed),
        (&[FULL, LAST, LAST, FULL], Code::TicketsUsedUp),
        (&[FULL, RESUMED, DECLINED], Code::Partly),
    ] {
        let verdict = Seen::new(rows)
            .with(|seen| seen.addresses = vec![address(ITSELF_A), failed_at("b")])
            .verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let times = verdict.text.matches("handshakes failed at b").count();
        assert_eq!(times, 1, "{verdict:?}");
    }
}

#[test]
fn another_version_is_not_another_key() {
    let versions = |versions: &'static [&'static str]| {
        move |seen: &mut Seen| {
            for (row, version) in seen.rows.iter_mut().zip(versions) {
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
        let verdict = Seen::new(rows).with(versions(mixed)).verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let says = "speaks TLS 1.3 in 3 connections and TLS 1.2 in 2: a session of one version";
        assert!(verdict.text.contains(says), "{verdict:?}");
        assert!(verdict.remedy.unwrap().contains("ssl_protocols"));
    }
    let verdict = Seen::new(&[FULL, RESUMED, RESUMED, RESUMED, RESUMED])
        .with(versions(mixed))
        .verdict();
    assert_eq!(verdict.code, Code::Resumes);
    assert!(
        verdict.text.contains("it speaks TLS 1.3 in 3"),
        "{verdict:?}"
    );

    let offers = [ITSELF_A, ITSELF_B, A_TO_B, A_TO_B, B_TO_A, B_TO_A];
    let verdict = Seen::new(&[FULL, RESUMED])
        .with(|seen| {
            seen.addresses = offers.map(address).into();
            for row in seen.addresses.iter_mut().filter(|row| row.to == "b") {
                row.protocol = Some("TLS 1.2".to_owned());
            }
        })
        .verdict();
    assert_eq!(verdict.code, Code::AddressesDiffer, "{verdict:?}");
    let says = "a speaks TLS 1.3 and b speaks TLS 1.2";
    assert!(verdict.text.starts_with(says), "{verdict:?}");
    assert!(verdict.remedy.unwrap().contains("ssl_protocols"));
}

#[test]
fn a_ticket_that_was_declined_when_it_was_offered_twice() {
    for (first, second, error, code, says) in [
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
        let verdict = Seen::new(&[FULL, RESUMED, RESUMED])
            .with(|seen| seen.twice = Some(twice))
            .verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        assert!(verdict.text.contains(says), "{verdict:?}");
    }
}
