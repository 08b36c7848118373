//! Every claim holds on every backend that it applies to.

use conformance::{Launcher, Verdict, count, rows};

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
            match verdict {
                Verdict::Pass => {}
                Verdict::Fail(seen) => {
                    failures.push(format!("{} {} on {backend}: {seen}", row.rule, row.title));
                }
                Verdict::NotApplicable(reason) => assert!(!reason.is_empty(), "{}", row.title),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
