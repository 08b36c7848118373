//! Every claim can fail: it fails on a client with the right fault.

mod client;
mod connection;
mod fault;
mod kin;
mod setup;
mod state;
mod tier;

use std::collections::BTreeSet;

use client::FaultyClient;
use conformance::child::{Task, is_requested};
use conformance::{Claim, Launcher, Verdict, claims};
use fault::Fault;

/// Each fault, and the claims that fail on a client with it.
const FAULTS: &[(Fault, &[&str])] = &[
    (
        Fault::IgnoresPort,
        &[
            "another port is another server",
            "early data goes to its own server only",
        ],
    ),
    (Fault::IgnoresHost, &["another name is another server"]),
    (
        Fault::DistinguishesSpellings,
        &["case and a trailing dot do not make another server"],
    ),
    (
        Fault::IgnoresSettings,
        &[
            "different settings have different security domains",
            "sessions are not resumed under changed settings",
        ],
    ),
    (
        Fault::ConcatenatesFields,
        &["fields of the security domain are delimited"],
    ),
    (
        Fault::StoresForLatestServer,
        &["a late ticket is stored for its own server"],
    ),
    (
        Fault::SkipsVerification,
        &["a failed verification stores nothing"],
    ),
    (
        Fault::IgnoresForget,
        &[
            "forget revokes what a connection stored",
            "forget revokes the session that was resumed",
        ],
    ),
    (
        Fault::StoresAfterForget,
        &["after forget, late tickets are refused"],
    ),
    (
        Fault::IgnoresNeverResume,
        &["a host can be kept from resuming"],
    ),
    (
        Fault::IgnoresNeverResumePort,
        &["one port can be kept from resuming"],
    ),
    (
        Fault::NeverResumeIsFixed,
        &["the servers that are kept from resuming can change"],
    ),
    (
        Fault::ResumesWithClientCertificate,
        &["with a client certificate, resumption can be turned off"],
    ),
    (
        Fault::IgnoresPartition,
        &["partitions do not resume each other's sessions"],
    ),
    (
        Fault::PartitionsHaveNoShares,
        &["one partition does not push out the others"],
    ),
    (
        Fault::ClearPartitionClearsAll,
        &["clear of one partition leaves the others"],
    ),
    (
        Fault::StoresAfterClearPartition,
        &["after clear of a partition, its late tickets are refused"],
    ),
    (
        Fault::IgnoresEndpoint,
        &["another endpoint is another server"],
    ),
    (
        Fault::IgnoresAddress,
        &[
            "addresses that do not share ticket keys resume their own sessions",
            "no session is offered at an address that is known to decline it",
        ],
    ),
    (
        Fault::AddressesAreServers,
        &["addresses that share ticket keys resume each other's sessions"],
    ),
    (
        Fault::IgnoresResumptionOff,
        &["a connection can be kept from storing and offering"],
    ),
    (
        Fault::KinShareTheStore,
        &[
            "kin of a connection resume its session and no other",
            "kin of a connection leave the store as it is",
        ],
    ),
    (
        Fault::KinUseTicketsOnce,
        &["kin of a connection resume as often as asked"],
    ),
    (
        Fault::KinKeepOtherSessions,
        &["after a full handshake of kin, the next one is full, too"],
    ),
    (
        Fault::KinSurviveClear,
        &["clear revokes the session that a connection keeps"],
    ),
    (
        Fault::ReusesTickets,
        &[
            "no ticket is used twice by many threads",
            "a server without sessions is not counted",
        ],
    ),
    (
        Fault::UsesTicketsOnce,
        &["a ticket is offered until it is renewed, if so set"],
    ),
    (
        Fault::ReusesFirstTicket,
        &["no ticket is used twice, one after another"],
    ),
    (
        Fault::KeepsOfferedTickets,
        &[
            "no ticket is used twice by open connections",
            "no ticket carries early data twice",
        ],
    ),
    (
        Fault::ReturnsFailedTickets,
        &["a ticket of a failed handshake is not used again"],
    ),
    (
        Fault::StoresOneTicket,
        &["several tickets of a server are kept"],
    ),
    (
        Fault::UsesReusableOnce,
        &["a TLS 1.2 session is reused until it is replaced"],
    ),
    (
        Fault::KeepsFailedReusable,
        &["a TLS 1.2 session is removed when its handshake fails"],
    ),
    (
        Fault::KeepsReusableAfterAlert,
        &["an alert after the handshake removes a TLS 1.2 session"],
    ),
    (
        Fault::RemovesNewerReusable,
        &["a failed handshake does not remove a newer TLS 1.2 session"],
    ),
    (
        Fault::MissesRenewals,
        &["a renewed TLS 1.2 ticket is the one used next"],
    ),
    (
        Fault::SharesSessionObject,
        &[
            "a drop without close_notify does not invalidate the session",
            "open connections share no session object",
        ],
    ),
    (
        Fault::IgnoresServerLifetime,
        &["a session lives no longer than the server says"],
    ),
    (
        Fault::ClockStandsStill,
        &[
            "a session lives no longer than its protocol allows",
            "expired sessions are evicted before valid ones",
        ],
    ),
    (
        Fault::IgnoresLimits,
        &[
            "a session lives no longer than the limits say",
            "a flood of tickets stays within its server's limits",
            "the number of servers is bounded",
            "the server that was not used again is evicted first",
            "the number of bytes is bounded",
            "sessions that are too large are refused and counted",
        ],
    ),
    (
        Fault::RenewalsResetAge,
        &["renewals do not extend the total age"],
    ),
    (
        Fault::ClockNeverGoesBack,
        &["a session from the future is not used"],
    ),
    (
        Fault::ForgetsEarlierUse,
        &["a hot server survives a scan of cold ones"],
    ),
    (
        Fault::NeverSweeps,
        &["expired sessions are swept without a new connection"],
    ),
    (
        Fault::NoStoreIsAnError,
        &["without a store, handshakes are full and succeed"],
    ),
    (
        Fault::StoresAfterPanic,
        &["a panic inside a callback is a miss"],
    ),
    (
        Fault::LocksHandshakes,
        &["no lock is held during a handshake"],
    ),
    (Fault::IgnoresClear, &["clear takes effect at once"]),
    (
        Fault::StoresAfterClear,
        &["after clear, late tickets are refused"],
    ),
    (
        Fault::ClearServerClearsAll,
        &["clear of one server leaves the others"],
    ),
    (
        Fault::DebugShowsSessions,
        &["debug output contains no ticket"],
    ),
    (
        Fault::SendsEarlyDataByDefault,
        &["no data is sent before the handshake is done"],
    ),
    (
        Fault::ExceedsEarlyDataLimit,
        &["no more early data is sent than the session allows"],
    ),
    (
        Fault::ReportsAllEarlyDataAccepted,
        &["early data that is rejected does not count as accepted"],
    ),
    (
        Fault::ReportsNothing,
        &[
            "no two handshakes in a row fail because a session is offered",
            "no two handshakes in a row fail because a session is offered, in tasks",
            "no two handshakes in a row fail because a session is offered, over futures-io",
            "no two handshakes in a row fail because a session is offered, with a ClientConfig",
            "a server that fails whenever a session is offered is avoided",
            "a server that fails whenever a session is offered is avoided, in tasks",
            "a server that fails whenever a session is offered is avoided, over futures-io",
            "a server that declines again and again is asked less",
            "processes that share a store tell each other of a server that fails",
        ],
    ),
    (
        Fault::ReportsNoSuccess,
        &["a server that fails whenever a session is offered is avoided, with a ClientConfig"],
    ),
    (
        Fault::ForgetsLateRejections,
        &[
            "no two resumed connections in a row are rejected",
            "no two resumed connections in a row are rejected, in tasks",
            "no two resumed connections in a row are rejected, over futures-io",
            "a server that rejects resumed connections is avoided",
            "a server that rejects resumed connections is avoided, in tasks",
            "a server that rejects resumed connections is avoided, over futures-io",
        ],
    ),
    (
        Fault::NeverRetries,
        &[
            "a failed resumption is made again without a session",
            "a failed resumption is made again without a session, in tasks",
        ],
    ),
    (
        Fault::ClearsAfterFailure,
        &[
            "a failed transport takes only the session that was offered",
            "a failed transport takes only the session that was offered, in tasks",
            "a failed transport takes only the session that was offered, over futures-io",
            "a failed transport takes only the session that was offered, with a ClientConfig",
        ],
    ),
    (
        Fault::HidesTicketSize,
        &[
            "a ticket too large for a ClientHello is refused and counted",
            "a ticket too large for a ClientHello is refused and counted, in tasks",
            "a ticket too large for a ClientHello is refused and counted, over futures-io",
        ],
    ),
    (
        Fault::IgnoresCertificateExpiry,
        &[
            "no session outlives the server's certificate",
            "no session outlives the client's certificate",
        ],
    ),
    (
        Fault::KeepsDomainOnRotation,
        &[
            "a changed client certificate resumes no session of the old one",
            "a changed client certificate resumes no session of the old one, in tasks",
            "a changed client certificate resumes no session of the old one, over futures-io",
            "a changed client certificate resumes no session of the old one, with a ClientConfig",
        ],
    ),
    (
        Fault::ForgetsGroup,
        &["the first key share is for the group that the server chose last"],
    ),
    (
        Fault::OffersLastGroupOnly,
        &["the group that the server chose last replaces no other"],
    ),
    (Fault::CountsNothing, &["the counters match what happened"]),
    (
        Fault::ReportsFull,
        &["client and server agree on what was resumed"],
    ),
    (
        Fault::TakesCopies,
        &[
            "processes that share a store use no ticket twice",
            "machines that share a store use no ticket twice",
            "a ticket that was taken does not come back with a snapshot",
        ],
    ),
    (
        Fault::TakesOfEarlierRuns,
        &["a ticket that was taken does not come back with a snapshot"],
    ),
    (
        Fault::RemovesTakenAtExit,
        &["a ticket taken by a killed process is not used again"],
    ),
    (
        Fault::TierFailureIsAnError,
        &[
            "a shared store that is down costs full handshakes",
            "a shared store that hangs costs full handshakes",
            "a shared store that is damaged costs full handshakes",
            "a process stopped while it writes costs full handshakes",
        ],
    ),
    (Fault::ClearsMemoryOnly, &["clear empties the shared store"]),
    (
        Fault::TamperingIsAnError,
        &[
            "a tampered record is dropped and the next one tried",
            "a tampered TLS 1.2 record is dropped and replaced",
        ],
    ),
    (
        Fault::StoresPlaintext,
        &["stored records show neither names nor tickets"],
    ),
    (
        Fault::PublicFiles,
        &["only the owner may read the files of a shared store"],
    ),
    (
        Fault::IgnoresKeyFile,
        &["sessions are not resumed under other store keys"],
    ),
];

/// Starts this program, which is a child in the test [`child`].
fn launcher() -> Launcher {
    Launcher::this_program()
        .argument("--exact")
        .argument("faulty_client::child")
        .argument("--nocapture")
}

/// Not a test by itself: the child. Does nothing unless this process is one.
#[test]
fn child() {
    if !is_requested() {
        return;
    }
    let task = Task::from_stdin().expect("a task");
    let named = |fault: &Fault| fault.to_string() == task.client();
    let faults = FAULTS.iter().map(|(fault, _)| *fault);
    let fault = faults
        .chain([Fault::None])
        .find(named)
        .expect("a fault of this name");
    let result = fault.during(|| task.run::<FaultyClient>());
    result.expect("the parent reads the reports");
}

fn applicable() -> Vec<Claim> {
    let mut claims = claims::<FaultyClient>();
    claims.retain(Claim::applies);
    claims
}

#[test]
fn every_claim_holds_for_a_client_without_fault() {
    for claim in applicable() {
        let verdict = claim.verdict(&launcher());
        assert_eq!(verdict, Verdict::Pass, "{} {}", claim.rule, claim.title);
    }
}

#[test]
fn every_fault_makes_its_claims_fail() {
    let (claims, launcher) = (claims::<FaultyClient>(), launcher());
    let mut missed = Vec::new();
    for (fault, titles) in FAULTS {
        for title in *titles {
            let claim = claims.iter().find(|claim| claim.title == *title);
            let claim = claim.unwrap_or_else(|| panic!("there is no claim {title}"));
            let verdict = fault.during(|| claim.verdict(&launcher));
            if verdict == Verdict::Pass {
                missed.push(format!("{fault:?}: {} {title}", claim.rule));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "claims that hold in spite of the fault:\n{}",
        missed.join("\n")
    );
}

#[test]
fn every_claim_fails_with_some_fault() {
    let failing: BTreeSet<&str> = FAULTS
        .iter()
        .flat_map(|(_, titles)| *titles)
        .copied()
        .collect();
    let all: BTreeSet<&str> = applicable().iter().map(|claim| claim.title).collect();
    let untested: Vec<_> = all.difference(&failing).collect();
    assert!(
        untested.is_empty(),
        "no fault makes these fail: {untested:#?}"
    );
}
