//! Verdicts on addresses.

use super::*;

type Offer<'a> = (&'a str, &'a str, bool, bool);

const OWN_A: Offer<'_> = ("a", "a", true, true);
const OWN_B: Offer<'_> = ("b", "b", true, true);

fn address_row((from, to, offered, resumed): Offer<'_>) -> AddressRow {
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
        ..address_row((to, to, false, false))
    }
}

/// The verdict on connections and offers at addresses.
fn at_addresses(rows: &[Row], offers: &[Offer<'_>]) -> Verdict {
    Observed::new(rows)
        .with(|observed| observed.addresses = offers.iter().copied().map(address_row).collect())
        .verdict()
}

const A_TO_B: Offer<'_> = ("a", "b", true, false);
const B_TO_A: Offer<'_> = ("b", "a", true, false);

#[test]
fn addresses_differ_only_if_they_always_decline() {
    let (to_b, to_a) = (("a", "b", true, true), ("b", "a", true, true));
    let both = [A_TO_B, A_TO_B, B_TO_A, B_TO_A];
    for (across, code, certain) in [
        (&[to_b, to_a][..], Code::Resumes, None),
        (&[("a", "b", false, false)], Code::Resumes, None),
        (&both, Code::AddressesDiffer, Some(true)),
        // Declined, then resumed: chance.
        (&[A_TO_B, to_b, to_a], Code::Partly, Some(false)),
        // Offered only once.
        (&[A_TO_B], Code::Partly, Some(false)),
        // One direction only.
        (&[A_TO_B, A_TO_B, to_a], Code::AddressesDiffer, Some(false)),
        (&[A_TO_B, A_TO_B], Code::AddressesDiffer, Some(false)),
    ] {
        let offers = [&[OWN_A, OWN_B], across].concat();
        let verdict = at_addresses(&[FULL, RESUMED], &offers);
        assert_eq!(verdict.code, code, "{across:?}: {verdict:?}");
        if let Some(certain) = certain {
            let remedy = verdict.remedy.unwrap();
            assert_eq!(remedy.starts_with("give all machines"), certain, "{remedy}");
            assert_eq!(remedy.contains("cache is full"), !certain, "{remedy}");
        }
    }
    // Not certain if sessions are also declined at their own address.
    let offers = [&[OWN_A, OWN_B], &both[..]].concat();
    let verdict = at_addresses(&[FULL, RESUMED, DECLINED], &offers);
    assert_eq!(verdict.code, Code::AddressesDiffer, "{verdict:?}");
    assert!(verdict.remedy.unwrap().starts_with("either"));
}

#[test]
fn an_address_that_resumes_nothing_is_named() {
    const NONE: Offer<'_> = ("b", "b", false, false);
    const DECLINES: Offer<'_> = ("b", "b", true, false);
    const NO_TICKETS: Row = (false, false, 0);
    for (rows, offers, expected) in [
        (&[FULL, RESUMED][..], &[OWN_A, NONE][..], "b issues no"),
        (&[NO_TICKETS; 3], &[NONE, OWN_A], "b issues no sessions"),
        (
            &[FULL, RESUMED],
            &[OWN_A, DECLINES, DECLINES],
            "b declined all 2",
        ),
    ] {
        let verdict = at_addresses(rows, offers);
        assert_eq!(verdict.code, Code::Partly, "{offers:?}: {verdict:?}");
        assert!(verdict.text.contains(expected), "{verdict:?}");
        assert!(verdict.remedy.unwrap().contains("these addresses"));
    }
    // Declined, then resumed.
    let verdict = at_addresses(&[FULL, RESUMED], &[OWN_A, DECLINES, OWN_B]);
    assert_eq!(verdict.code, Code::Partly, "{verdict:?}");
    assert!(verdict.text.contains("declined 1 of 4"), "{verdict:?}");
    assert!(!verdict.text.contains("not every address"), "{verdict:?}");
    // No address resumes: the address is not the cause.
    let none = at_addresses(&[NO_TICKETS; 3], &[("a", "a", false, false), NONE]);
    assert_eq!(none.code, Code::NoTickets, "{none:?}");
}

#[test]
fn experiments_are_evidence_if_there_is_one_connection() {
    let across = [("a", "b", true, true), ("b", "a", true, true)];
    let offers = [&[OWN_A, OWN_B], &across[..]].concat();
    let verdict = at_addresses(&[FULL], &offers);
    assert_eq!(verdict.code, Code::Resumes, "{verdict:?}");
    assert!(verdict.text.contains("4 of 4"), "{verdict:?}");
    let declined = [("a", "a", true, false); 2];
    let verdict = at_addresses(&[FULL], &declined);
    assert_eq!(verdict.code, Code::NeverResumes, "{verdict:?}");
    assert!(verdict.text.contains("declined all 2"), "{verdict:?}");
}

#[test]
fn a_failed_address_is_named_with_every_code() {
    const LAST_TICKET: Row = (true, true, 0);
    for (rows, code) in [
        (&[FULL, RESUMED][..], Code::AddressFailed),
        (&[FULL, LAST_TICKET, LAST_TICKET, FULL], Code::TicketsUsedUp),
        (&[FULL, RESUMED, DECLINED], Code::Partly),
    ] {
        let verdict = Observed::new(rows)
            .with(|observed| observed.addresses = vec![address_row(OWN_A), failed_at("b")])
            .verdict();
        assert_eq!(verdict.code, code, "{verdict:?}");
        let times = verdict.text.matches("handshakes failed at b").count();
        assert_eq!(times, 1, "{verdict:?}");
    }
}

#[test]
fn addresses_of_different_versions_are_not_called_of_different_keys() {
    let offers = [OWN_A, OWN_B, A_TO_B, A_TO_B, B_TO_A, B_TO_A];
    let verdict = Observed::new(&[FULL, RESUMED])
        .with(|observed| {
            observed.addresses = offers.map(address_row).into();
            for row in observed.addresses.iter_mut().filter(|row| row.to == "b") {
                row.protocol = Some("TLS 1.2".to_owned());
            }
        })
        .verdict();
    assert_eq!(verdict.code, Code::AddressesDiffer, "{verdict:?}");
    let expected = "a speaks TLS 1.3 and b speaks TLS 1.2";
    assert!(verdict.text.starts_with(expected), "{verdict:?}");
    assert!(verdict.remedy.unwrap().contains("ssl_protocols"));
}
