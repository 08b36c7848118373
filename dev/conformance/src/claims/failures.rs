//! Servers and networks that fail when a session is offered, and servers that decline it: R28 to R31.

use std::sync::Arc;
use std::time::Duration;

use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Protocol, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::{Limits, Resumption};

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::Client;
use crate::door::Door;
use crate::fixture::{Fixture, HOST, LOCALHOST, PORT};
use crate::wire::Wire;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let failing = Claim::through_each::<C>(
        "R28",
        [
            "no two handshakes in a row fail because a session is offered",
            "no two handshakes in a row fail because a session is offered, in tasks",
            "no two handshakes in a row fail because a session is offered, over futures-io",
            "no two handshakes in a row fail because a session is offered, with a ClientConfig",
        ],
        no_two_fail_in_a_row::<C>,
    );
    let rejecting = Claim::through_each::<C>(
        "R28",
        [
            "no two resumed connections in a row are rejected",
            "no two resumed connections in a row are rejected, in tasks",
            "no two resumed connections in a row are rejected, over futures-io",
            "no two resumed connections in a row are rejected, with a ClientConfig",
        ],
        no_two_are_rejected_in_a_row::<C>,
    );
    let avoiding = Claim::through_each::<C>(
        "R29",
        [
            "a server that fails whenever a session is offered is avoided",
            "a server that fails whenever a session is offered is avoided, in tasks",
            "a server that fails whenever a session is offered is avoided, over futures-io",
            "a server that fails whenever a session is offered is avoided, with a ClientConfig",
        ],
        a_breaking_server_is_avoided::<C>,
    );
    let avoiding_late = Claim::through_each::<C>(
        "R29",
        [
            "a server that rejects resumed connections is avoided",
            "a server that rejects resumed connections is avoided, in tasks",
            "a server that rejects resumed connections is avoided, over futures-io",
            "a server that rejects resumed connections is avoided, with a ClientConfig",
        ],
        a_rejecting_server_is_avoided::<C>,
    );
    let retrying = Claim::through_each::<C>(
        "R30",
        [
            "a failed resumption is made again without a session",
            "a failed resumption is made again without a session, in tasks",
            "a failed resumption is made again without a session, over futures-io",
            "a failed resumption is made again without a session, with a ClientConfig",
        ],
        a_failed_resumption_is_made_again::<C>,
    );
    let retrying = retrying
        .map(|claim| claim.not_through(Door::ClientConfig, "rustls makes no TCP connections"))
        .map(|claim| claim.not_through(Door::Futures, "the caller makes the TCP connections"))
        .map(|claim| claim.unless(C::NO_DIALING));
    let sparing = Claim::through_each::<C>(
        "R31",
        [
            "a failed transport takes only the session that was offered",
            "a failed transport takes only the session that was offered, in tasks",
            "a failed transport takes only the session that was offered, over futures-io",
            "a failed transport takes only the session that was offered, with a ClientConfig",
        ],
        a_failed_transport_takes_one_session::<C>,
    );
    let untold = "rustls tells the store of a `ClientConfig` of no alert after the handshake";
    let late = rejecting
        .chain(avoiding_late)
        .map(|claim| claim.not_through(Door::ClientConfig, untold));
    let declining = Claim::new(
        "R29",
        "a server that declines again and again is asked less",
        a_declining_server_is_asked_less::<C>,
    );
    let all = failing.chain(avoiding).chain(late).chain([declining]);
    all.chain(retrying).chain(sparing).collect()
}

/// The connections of each check.
const CONNECTIONS: usize = 20;

/// Makes a server end each handshake in which a session is offered.
pub(super) fn breaks(server: &mut ServerSettings) {
    server.openssl.no_session_id_context = true;
    server.tickets = 4;
}

/// Whether each of some connections failed.
fn failures<C: Client>(fixture: &Fixture<C>, door: Door, fault: Fault) -> Vec<bool> {
    let failed = |_| fixture.visit_through(door, fault).is_err();
    (0..CONNECTIONS).map(failed).collect()
}

fn none_twice_in_a_row(failed: &[bool]) -> CheckResult {
    let twice = failed.windows(2).any(|pair| pair[0] && pair[1]);
    let seen = format!("some fail, and no two in a row: {failed:?}");
    holds(failed.contains(&true) && !twice, &seen)
}

fn no_two_fail_in_a_row<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::with(protocol, breaks, |_| {})?;
        none_twice_in_a_row(&failures(&fixture, door, Fault::None))?;
        // A cut connection takes no session but the one that was offered.
        let many = |server: &mut ServerSettings| server.tickets = 4;
        let fixture = Fixture::<C>::with(protocol, many, |_| {})?;
        none_twice_in_a_row(&failures(&fixture, door, Fault::CloseAfterClientHello))?;
    }
    Ok(())
}

fn no_two_are_rejected_in_a_row<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Arc::new(Fixture::<C>::with_renewals(protocol, Limits::default())?);
        fixture.visit()?;
        // Before the rejection, another connection receives newer sessions.
        let during = Arc::clone(&fixture);
        let rejecting = FaultyTransport::on_resumption(&fixture.server, Fault::LateAlert);
        let wire = Wire::new(rejecting).calling(move || drop(during.visit()));
        let first = fixture.client.visit_through(door, HOST, PORT, Some(wire));
        let others = failures(&fixture, door, Fault::LateAlert);
        none_twice_in_a_row(&[vec![first.is_err()], others].concat())?;
    }
    Ok(())
}

fn a_breaking_server_is_avoided<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::with(protocol, breaks, |_| {})?;
        the_server_is_avoided(&fixture, door, Fault::None)?;
    }
    Ok(())
}

fn a_rejecting_server_is_avoided<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        the_server_is_avoided(&fixture, door, Fault::LateAlert)?;
    }
    Ok(())
}

fn the_server_is_avoided<C: Client>(fixture: &Fixture<C>, door: Door, fault: Fault) -> CheckResult {
    const AVOIDED: Duration = Duration::from_secs(10 * 60);
    let count = |failed: &[bool]| failed.iter().filter(|failed| **failed).count();
    let failed = failures(fixture, door, fault);
    let seen = format!("one or two of {CONNECTIONS} fail: {failed:?}");
    holds((1..=2).contains(&count(&failed)), &seen)?;
    holds(fixture.client.stats().avoided > 0, "a server is avoided")?;
    fixture.advance(AVOIDED);
    let failed = failures(fixture, door, fault);
    let seen = format!("one of {CONNECTIONS} tries again: {failed:?}");
    holds(count(&failed) == 1, &seen)
}

/// Each connection receives a session, which the next one could offer.
fn a_declining_server_is_asked_less<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let declining = FaultyTicketer::new().declining();
        let fixture = Fixture::<C>::with_tickets(protocol, declining)?;
        let mut declined = 0;
        for _ in 0..2 * CONNECTIONS {
            let visit = fixture.visit()?;
            declined += u32::from(visit.resumption == Resumption::Declined);
        }
        let seen = format!("8 to 12 of {} are declined: {declined}", 2 * CONNECTIONS);
        holds((8..=12).contains(&declined), &seen)?;
    }
    Ok(())
}

fn a_failed_resumption_is_made_again<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::with(protocol, breaks, |_| {})?;
        let server = TcpServer::start(fixture.server.clone()).map_err(message)?;
        for _ in 0..CONNECTIONS {
            let visit = fixture
                .client
                .visit_through(door, LOCALHOST, server.port(), None);
            equal(&visit, &Ok(false), "each connection")?;
        }
        let stats = fixture.client.stats();
        equal(&stats.retried, &stats.failed, "retried of the failed ones")?;
        holds((1..=2).contains(&stats.retried), "one or two are retried")?;
    }
    Ok(())
}

fn a_failed_transport_takes_one_session<C: Client>(door: Door) -> CheckResult {
    let many = |server: &mut ServerSettings| server.tickets = 6;
    let fixture = Fixture::<C>::with(Protocol::Tls13, many, |_| {})?;
    fixture.visit_through(door, Fault::None).map_err(message)?;
    let cut = fixture.visit_through(door, Fault::CloseAfterClientHello);
    holds(cut.is_err(), "a connection that is cut fails")?;
    equal(&fixture.sessions(), &5, "sessions left of 6")?;
    // One connection may offer nothing, to find out whether handshakes succeed at all.
    fixture.visit_through(door, Fault::None).map_err(message)?;
    let next = fixture.visit_through(door, Fault::None);
    equal(&next, &Ok(true), "the one after it is resumed")
}
