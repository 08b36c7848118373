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
