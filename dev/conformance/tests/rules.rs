//! Every claim holds on every backend it applies to.

use conformance::{Launcher, Outcome, count, rows};

#[test]
fn every_claim_holds() {
    let launcher = Launcher::new(env!("CARGO_BIN_EXE_conformance-child"));
    let rows = rows(&launcher, &mut |_| {});
    assert_eq!(rows.len(), count());
    let mut failures = Vec::new();
    for row in &rows {
        for (backend, verdict) in [
            ("rustls", &row.rustls),
            ("openssl", &row.openssl),
            ("rustls_preview", &row.rustls_preview),
        ] {
            let reason = verdict.reason.as_deref().unwrap_or_default();
            match verdict.outcome {
                Outcome::Pass => {}
                Outcome::Fail => {
                    failures.push(format!("{} {} on {backend}: {reason}", row.rule, row.title));
                }
                Outcome::NotApplicable => assert!(!reason.is_empty(), "{}", row.title),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
