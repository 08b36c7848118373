//! Every claim can fail: for each there is a client, broken in one way, that it catches.

mod client;
mod connection;
mod der;
mod fault;
mod setup;
mod sharing;

use std::collections::BTreeSet;

use client::Faulty;
use conformance::child::{Task, is_requested};
use conformance::{Claim, Launcher, Verdict, claims};
use fault::Fault;

/// Each fault, and the claims that must catch it.
const CAUGHT: &[(Fault, &[&str])] = &[
    (
        Fault::NoPort,
        &[
            "another port is another server",
            "early data goes to its own server only",
        ],
    ),
    (Fault::OneHost, &["another name is another server"]),
    (
        Fault::SpelledHosts,
        &["case and a trailing dot do not make another server"],
    ),
    (
        Fault::OneDomain,
        &[
            "different settings have different security domains",
            "sessions are not resumed under changed settings",
        ],
    ),
    (
        Fault::RunsFieldsTogether,
        &["fields of the security domain are delimited"],
    ),
    (
        Fault::FilesUnderLatest,
        &["a late ticket is stored for its own server"],
    ),
    (
        Fault::VerifiesNothing,
        &["a failed verification stores nothing"],
    ),
    (
        Fault::ForgetsNothing,
        &[
            "forget revokes what a connection stored",
            "forget revokes the session that was resumed",
        ],
    ),
    (
        Fault::TakesAfterForget,
        &["after forget, late tickets are refused"],
    ),
    (Fault::AlwaysResumes, &["a host can be kept from resuming"]),
    (
        Fault::TicketsServeOften,
        &[
            "no ticket is used twice by many threads",
            "a server without sessions is not counted",
        ],
    ),
    (
        Fault::KeepsTheFirst,
        &["no ticket is used twice, one after another"],
    ),
    (
        Fault::KeepsWhatItOffers,
        &[
            "no ticket is used twice by open connections",
            "no ticket carries early data twice",
        ],
    ),
    (
        Fault::PutsBackWhatFailed,
        &["a ticket of a failed handshake is not used again"],
    ),
    (Fault::OneTicket, &["several tickets of a server are kept"]),
    (
        Fault::SessionsServeOnce,
        &["a TLS 1.2 session is reused until it is replaced"],
    ),
    (
        Fault::KeepsWhatFailed,
        &["a TLS 1.2 session is removed when its handshake fails"],
    ),
    (
        Fault::KeepsWhatIsRefused,
        &["an alert after the handshake removes a TLS 1.2 session"],
    ),
    (
        Fault::RemovesAnySession,
        &["a failed handshake does not remove a newer TLS 1.2 session"],
    ),
    (
        Fault::MissesRenewals,
        &["a renewed TLS 1.2 ticket is the one used next"],
    ),
    (
        Fault::KeepsTheObject,
        &[
            "a drop without close_notify does not invalidate the session",
            "open connections share no session object",
        ],
    ),
    (
        Fault::ForgetsServerLifetime,
        &["a session lives no longer than the server says"],
    ),
    (
        Fault::TimeStandsStill,
        &[
            "a session lives no longer than its protocol allows",
            "expired sessions are evicted before valid ones",
        ],
    ),
    (
        Fault::NoLimits,
        &[
            "a session lives no longer than the limits say",
            "a flood of tickets stays within its server's limits",
            "the number of servers is bounded",
            "the least recently used server is evicted first",
            "the number of bytes is bounded",
            "sessions that are too large are refused and counted",
        ],
    ),
    (
        Fault::RenewsForEver,
        &["renewals do not extend the total age"],
    ),
    (
        Fault::TimeOnlyGoesOn,
        &["a session from the future is not used"],
    ),
    (
        Fault::NeverSeenAgain,
        &["a hot server survives a scan of cold ones"],
    ),
    (Fault::NeverSweeps, &["expired sessions are swept without a new connection"]),
    (
        Fault::OffIsAnError,
        &["without a store, handshakes are full and succeed"],
    ),
    (
        Fault::PanicsArePutAside,
        &["a panic inside a callback is a miss"],
    ),
    (
        Fault::LocksHandshakes,
        &["no lock is held during a handshake"],
    ),
    (Fault::NeverClears, &["clear takes effect at once"]),
    (
        Fault::ForgetsBeginnings,
        &["after clear, late tickets are refused"],
    ),
    (
        Fault::ClearsTooMuch,
        &["clear of one server leaves the others"],
    ),
    (
        Fault::ShowsSessions,
        &["debug output contains no ticket"],
    ),
    (
        Fault::SendsEarlyData,
        &["no data is sent before the handshake is done"],
    ),
    (
        Fault::SendsAllEarly,
        &["no more early data is sent than the session allows"],
    ),
    (
        Fault::SaysAllAccepted,
        &["early data that is rejected does not count as accepted"],
    ),
    (Fault::CountsNothing, &["the counters match what happened"]),
    (Fault::SaysFull, &["client and server agree on what was resumed"]),
    (
        Fault::HandsOutCopies,
        &[
            "processes that share a store use no ticket twice",
            "machines that share a store use no ticket twice",
        ],
    ),
    (
        Fault::SettlesAtTheEnd,
        &["a ticket taken by a killed process is not used again"],
    ),
    (
        Fault::TroubleIsAnError,
        &[
            "a shared store that is down costs full handshakes",
            "a shared store that hangs costs full handshakes",
            "a shared store that is damaged costs full handshakes",
            "a process stopped while it writes costs full handshakes",
        ],
    ),
    (
        Fault::ClearsMemoryOnly,
        &["clear empties the shared store"],
    ),
    (
        Fault::TamperingIsAnError,
        &[
            "a tampered record is dropped and the next one tried",
            "a tampered TLS 1.2 record is dropped and replaced",
        ],
    ),
    (
        Fault::KeepsPlainCopies,
        &["stored records show neither names nor tickets"],
    ),
    (
        Fault::PublicFiles,
        &["only the owner may read the files of a shared store"],
    ),
    (
        Fault::OneKeyForAll,
        &["sessions are not resumed under other store keys"],
    ),
];

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
    if !is_requested() {
        return;
    }
    let task = Task::from_stdin().expect("a task");
    let named = |fault: &Fault| fault.to_string() == task.client();
    let faults = CAUGHT.iter().map(|(fault, _)| *fault);
    let fault = faults
        .chain([Fault::None])
        .find(named)
        .expect("a fault of this name");
    let obeyed = fault.during(|| task.run::<Faulty>());
    obeyed.expect("a parent that listens");
}

fn applicable() -> Vec<Claim> {
    let mut claims = claims::<Faulty>();
    claims.retain(Claim::applies);
    claims
}

/// The rules ask for nothing that a client without fault cannot do.
#[test]
fn a_client_without_fault_keeps_every_rule() {
    for claim in applicable() {
        let verdict = claim.verdict(&launcher());
        assert_eq!(verdict, Verdict::Pass, "{} {}", claim.rule, claim.title);
    }
}

#[test]
fn every_fault_is_caught() {
    let (claims, launcher) = (claims::<Faulty>(), launcher());
    let mut missed = Vec::new();
    for (fault, titles) in CAUGHT {
        for title in *titles {
            let claim = claims.iter().find(|claim| claim.title == *title);
            let claim = claim.unwrap_or_else(|| panic!("no claim says that {title}"));
            let verdict = fault.during(|| claim.verdict(&launcher));
            if verdict == Verdict::Pass {
                missed.push(format!("{fault:?} by {} {title}", claim.rule));
            }
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

#[test]
fn every_claim_has_its_fault() {
    let caught: BTreeSet<&str> = CAUGHT
        .iter()
        .flat_map(|(_, titles)| *titles)
        .copied()
        .collect();
    let all: BTreeSet<&str> = applicable().iter().map(|claim| claim.title).collect();
    let never: Vec<_> = all.difference(&caught).collect();
    assert!(
        never.is_empty(),
        "nothing shows that these can fail: {never:#?}"
    );
}
