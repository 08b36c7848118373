//! The claims of the conformance suite, as for the backends of tls-resume.

use conformance::child::{Orders, is_asked_for};
use conformance::{Launcher, Outcome, claims};

use crate::client::S2n;

/// This program: its test `child` is the child process.
fn launcher() -> Launcher {
    Launcher::this_program()
        .argument("--exact")
        .argument("claims::child")
        .argument("--nocapture")
}

/// The child process. Does nothing unless this process is one.
#[test]
fn child() {
    if is_asked_for() {
        let orders = Orders::receive().expect("orders");
        orders.obey::<S2n>().expect("a parent that reads");
    }
}

#[test]
fn every_claim_holds() {
    let mut failures = Vec::new();
    let mut do_not_apply = Vec::new();
    for claim in claims::<S2n>() {
        let verdict = claim.verdict(&launcher());
        match verdict.outcome {
            Outcome::Pass => {}
            Outcome::NotApplicable => do_not_apply.push(claim.title),
            Outcome::Fail => {
                failures.push(format!(
                    "{} {}: {:?}",
                    claim.rule, claim.title, verdict.reason
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // `handshakes.rs` tests that no early data is sent.
    assert_eq!(
        do_not_apply,
        [
            "no more early data is sent than the session allows",
            "no ticket carries early data twice",
            "early data goes to its own server only",
            "early data that is rejected does not count as accepted",
        ]
    );
}
