//! The rules of a correct client session store, on s2n-tls: the same claims as on the backends of
//! tls-resume, by real handshakes with real servers.

mod blocking;
mod client;

use client::S2n;
use conformance::child::{Orders, is_asked_for};
use conformance::{Launcher, Outcome, claims};

/// What cannot be shown on s2n-tls, and why. `handshakes.rs` shows the last two in another way.
const NOT_SHOWN: [(&str, &str); 5] = [
    (
        "no more early data is sent than the session allows",
        NO_EARLY_DATA,
    ),
    ("no ticket carries early data twice", NO_EARLY_DATA),
    ("early data goes to its own server only", NO_EARLY_DATA),
    (
        "no data is sent before the handshake is done",
        "its server's tickets name an entry in a cache of OpenSSL, which declines those of s2n-tls",
    ),
    (
        "bytes are bounded",
        "its hundred servers fit: a session of s2n-tls is too small to fill a store that fast",
    ),
];

const NO_EARLY_DATA: &str = "the Rust bindings of s2n-tls cannot send early data";

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
    let claims = claims::<S2n>();
    let mut failures = Vec::new();
    for claim in claims {
        let not_shown = NOT_SHOWN.iter().find(|(title, _)| *title == claim.title);
        // The list stays true: a claim on it that does hold comes off it.
        let expected = if not_shown.is_some() {
            Outcome::Fail
        } else {
            Outcome::Pass
        };
        let verdict = claim.verdict(&launcher());
        if verdict.outcome != expected {
            let (title, seen) = (claim.title, verdict.reason);
            failures.push(format!("{} {title}: {seen:?}, {not_shown:?}", claim.rule));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_is_not_shown_is_claimed() {
    let claims = claims::<S2n>();
    for (title, _) in NOT_SHOWN {
        assert!(claims.iter().any(|claim| claim.title == title), "{title}");
    }
}
