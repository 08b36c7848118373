//! Verdicts on failed handshakes.

use super::*;

#[test]
fn a_failed_handshake_decides_the_verdict() {
    let mut observed = Observed::new(&[FULL, RESUMED, RESUMED, RESUMED]);
    for (row, (error, failure)) in observed.rows.iter_mut().zip([
        ("reset 1", Failure::Closed),
        // The same failure with another message.
        ("reset 2", Failure::Closed),
        ("slow", Failure::Silent),
    ]) {
        row.error = Some(error.to_owned());
        row.failure = Some(failure);
    }
    let verdict = observed.verdict();
    assert_eq!(verdict.code, Code::HandshakeFailed);
    assert_eq!(verdict.text, "3 of 4 handshakes failed: reset 1");
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["code"], "handshake_failed");
}

/// A connection that offered a session and failed, and one that offered none and failed.
const BROKEN: Row = (true, false, 0);
const NONE_FAILED: Row = (false, false, 0);

/// The verdict on connections, those at these positions failed, and on an experiment: connections
/// that offered a session and those of them that failed, and the same for those without one.
fn breaks(rows: &[Row], failed: &[usize], experiment: Option<[usize; 4]>) -> Verdict {
    let breaks =
        |[offered, offered_failed, not_offered, not_offered_failed]: [usize; 4]| BreaksRow {
            backend: Backend::Rustls,
            offered,
            offered_failed,
            not_offered,
            not_offered_failed,
            failure: None,
            error: None,
        };
    Observed::new(rows)
        .with(|observed| {
            for position in failed {
                let row = &mut observed.rows[*position];
                row.error = Some("alert internal_error".to_owned());
                row.failure = Some(Failure::Handshake);
            }
            observed.breaks = experiment.map(breaks);
        })
        .verdict()
}

#[test]
fn a_server_breaks_if_exactly_the_offers_fail() {
    let broken = [FULL, BROKEN, FULL, BROKEN, FULL];
    let verdict = breaks(&broken, &[1, 3], Some([3, 3, 3, 0]));
    assert_eq!(verdict.code, Code::BreaksWhenResumed, "{verdict:?}");
    let expected = "all 5 connections that offered one failed, and all 6 that offered none \
                    succeeded: alert internal_error";
    assert!(verdict.text.contains(expected), "{verdict:?}");
    let remedy = verdict.remedy.as_deref().unwrap();
    assert!(remedy.starts_with("either the server asks"), "{remedy}");
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["code"], "breaks_when_resumed");
    // The first session comes from the tier.
    let verdict = breaks(&[BROKEN, FULL], &[0], Some([1, 1, 2, 0]));
    assert_eq!(verdict.code, Code::BreaksWhenResumed, "{verdict:?}");
}

#[test]
fn other_failures_do_not_show_that_a_server_breaks() {
    for (rows, failed, experiment) in [
        // No experiment, one without an offer, one that contradicts.
        (&[FULL, BROKEN, FULL][..], &[1][..], None),
        (&[FULL, BROKEN, FULL], &[1], Some([0, 0, 3, 0])),
        (&[FULL, BROKEN, FULL], &[1], Some([1, 0, 2, 0])),
        (&[FULL, BROKEN, FULL], &[1], Some([1, 1, 2, 1])),
        // An offer that was resumed, and one that was declined.
        (&[FULL, BROKEN, FULL, RESUMED], &[1], Some([3, 3, 3, 0])),
        (&[FULL, BROKEN, FULL, DECLINED], &[1], Some([3, 3, 3, 0])),
        // A failure without an offer.
        (&[FULL, BROKEN, NONE_FAILED], &[1, 2], Some([3, 3, 3, 0])),
    ] {
        let verdict = breaks(rows, failed, experiment);
        assert_eq!(
            verdict.code,
            Code::HandshakeFailed,
            "{experiment:?}: {verdict:?}"
        );
        let remedy = verdict.remedy.unwrap();
        assert!(!remedy.contains("cipher"), "{remedy}");
    }
}
