//! Servers and networks that fail when a session is offered: R28, R29 and R31.

use std::time::Duration;

use lab::server::{Protocol, ServerSettings};
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds};
use crate::claim::Claim;
use crate::client::{Client, Connection};
use crate::fixture::{Fixture, HOST, PORT};
use crate::wire::Incident;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R28",
            "no two handshakes in a row fail because a session is offered",
            no_two_in_a_row::<C>,
        ),
        Claim::new(
            "R29",
            "a server that fails whenever a session is offered is avoided",
            a_breaking_server_is_avoided::<C>,
        ),
        Claim::new(
            "R31",
            "a failed transport takes the session that was offered, and no other",
            a_failed_transport_takes_one_session::<C>,
        ),
    ]
}

/// A server that ends each handshake in which a session is offered.
fn breaking<C: Client>(protocol: Protocol) -> Result<Fixture<C>, String> {
    let breaks = |server: &mut ServerSettings| {
        server.openssl.no_session_id_context = true;
        server.tickets = 4;
    };
    Fixture::with(protocol, breaks, |_| {})
}

/// Whether each of so many connections failed.
fn failures<C: Client>(fixture: &Fixture<C>, connections: usize) -> Result<Vec<bool>, String> {
    let connect = |_| match fixture.open(HOST, PORT) {
        Ok(mut connection) => {
            connection.read_tickets()?;
            connection.close().map(|()| false)
        }
        Err(_) => Ok(true),
    };
    (0..connections).map(connect).collect()
}

fn no_two_in_a_row<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let failed = failures(&breaking::<C>(protocol)?, 20)?;
        let twice = failed.windows(2).any(|pair| pair[0] && pair[1]);
        holds(!twice, &format!("not twice in a row: {failed:?}"))?;
    }
    Ok(())
}

fn a_breaking_server_is_avoided<C: Client>() -> CheckResult {
    const AVOIDED: Duration = Duration::from_secs(10 * 60);
    for protocol in Protocol::ALL {
        let fixture = breaking::<C>(protocol)?;
        let failed = failures(&fixture, 20)?;
        let count = |failed: &[bool]| failed.iter().filter(|failed| **failed).count();
        let seen = format!("one or two of 20 fail: {failed:?}");
        holds((1..=2).contains(&count(&failed)), &seen)?;
        holds(fixture.client.stats().avoided > 0, "a server is avoided")?;
        fixture.advance(AVOIDED);
        let failed = failures(&fixture, 20)?;
        let seen = format!("one of 20 tries again: {failed:?}");
        holds(count(&failed) == 1, &seen)?;
    }
    Ok(())
}

fn a_failed_transport_takes_one_session<C: Client>() -> CheckResult {
    let many = |server: &mut ServerSettings| server.tickets = 6;
    let fixture = Fixture::<C>::with(Protocol::Tls13, many, |_| {})?;
    fixture.visit()?;
    fixture.fail_handshake(Incident::Cut)?;
    let left = "sessions left of 6";
    equal(&fixture.sessions(), &5, left)?;
    // One connection may offer nothing, to find out whether handshakes succeed at all.
    fixture.visit()?;
    fixture.visit()?.is(Resumption::Resumed, "the one after it")
}
