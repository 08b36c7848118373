//! The claims of the conformance suite, as for the backends of tls-resume.

use conformance::child::{Task, is_requested};
use conformance::{Launcher, Verdict, claims};

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
    if is_requested() {
        let task = Task::from_stdin().expect("a task");
        task.run::<S2n>().expect("a parent that reads");
    }
}

#[test]
fn every_claim_holds() {
    let mut failures = Vec::new();
    let mut do_not_apply = Vec::new();
    for claim in claims::<S2n>() {
        match claim.verdict(&launcher()) {
            Verdict::Pass => {}
            Verdict::NotApplicable(_) => do_not_apply.push(claim.title),
            Verdict::Fail(seen) => {
                failures.push(format!("{} {}: {seen}", claim.rule, claim.title));
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
            "no two handshakes in a row fail because a session is offered, in tasks",
            "no two handshakes in a row fail because a session is offered, over futures-io",
            "no two handshakes in a row fail because a session is offered, with a ClientConfig",
            "no two resumed connections in a row are rejected, in tasks",
            "no two resumed connections in a row are rejected, over futures-io",
            "no two resumed connections in a row are rejected, with a ClientConfig",
            "a server that fails whenever a session is offered is avoided, in tasks",
            "a server that fails whenever a session is offered is avoided, over futures-io",
            "a server that fails whenever a session is offered is avoided, with a ClientConfig",
            "a server that rejects resumed connections is avoided, in tasks",
            "a server that rejects resumed connections is avoided, over futures-io",
            "a server that rejects resumed connections is avoided, with a ClientConfig",
            "a failed resumption is made again without a session",
            "a failed resumption is made again without a session, in tasks",
            "a failed resumption is made again without a session, over futures-io",
            "a failed resumption is made again without a session, with a ClientConfig",
            "a failed transport takes only the session that was offered, in tasks",
            "a failed transport takes only the session that was offered, over futures-io",
            "a failed transport takes only the session that was offered, with a ClientConfig",
            "a ticket is offered until it is renewed, if so set",
            "no session outlives the server's certificate",
            "no session outlives the client's certificate",
            "a ticket too large for a ClientHello is refused and counted, in tasks",
            "a ticket too large for a ClientHello is refused and counted, over futures-io",
            "a ticket too large for a ClientHello is refused and counted, with a ClientConfig",
            "partitions do not resume each other's sessions",
            "clear of one partition leaves the others",
            "after clear of a partition, its late tickets are refused",
            "one partition does not push out the others",
            "a connection can be kept from storing and offering",
            "another endpoint is another server",
            "one port can be kept from resuming",
            "the servers that are kept from resuming can change",
            "with a client certificate, resumption can be turned off",
            "kin of a connection resume its session and no other",
            "kin of a connection resume as often as asked",
            "kin of a connection leave the store as it is",
            "after a full handshake of kin, the next one is full, too",
            "clear revokes the session that a connection keeps",
            "a changed client certificate resumes no session of the old one",
            "a changed client certificate resumes no session of the old one, in tasks",
            "a changed client certificate resumes no session of the old one, over futures-io",
            "a changed client certificate resumes no session of the old one, with a ClientConfig",
            "the first key share is for the group that the server chose last",
            "addresses that do not share ticket keys resume their own sessions",
            "addresses that share ticket keys resume each other's sessions",
            "no session is offered at an address that is known to decline it",
        ]
    );
}
