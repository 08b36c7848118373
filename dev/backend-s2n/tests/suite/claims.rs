//! The rules of a correct client session store, on s2n-tls: the same claims as on the backends of
//! tls-resume, by real handshakes with real servers.

mod blocking;
mod client;

use client::S2n;
use conformance::child::{Orders, is_asked_for};
use conformance::{Launcher, Outcome, claims};

/// This very program, which is a child in its test of that name.
fn launcher() -> Launcher {
    Launcher::this_program()
        .argument("--exact")
        .argument("child")
        .argument("--nocapture")
}

/// What a child does; nothing unless this process is one.
#[test]
fn child() {
    if is_asked_for() {
        let orders = Orders::receive().expect("orders");
        orders.obey::<S2n>().expect("a parent that listens");
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
    // `handshakes.rs` shows that none is sent.
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
