//! Early data: R26.

use std::collections::HashSet;

use lab::server::{Protocol, ServerSettings};
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds};
use crate::claim::Claim;
use crate::client::{Client, Setup};
use crate::fixture::{Fixture, HOST, OTHER_HOST, PORT};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let if_supported = |title, check: fn() -> CheckResult| {
        Claim::new("R26", title, check).unless(C::NO_EARLY_DATA)
    };
    vec![
        Claim::new(
            "R26",
            "no data is sent before the handshake is done",
            none_by_default::<C>,
        ),
        if_supported(
            "no more early data is sent than the session allows",
            no_more_than_allowed::<C>,
        ),
        if_supported("no ticket carries early data twice", once_per_ticket::<C>),
        if_supported(
            "early data goes to its own server only",
            only_to_its_server::<C>,
        ),
        if_supported(
            "early data that is rejected does not count as accepted",
            rejected_is_not_reported_as_accepted::<C>,
        ),
    ]
}

/// How many bytes of early data a ticket allows.
const ALLOWED: u32 = 1_024;

/// A client with early data, and a server that accepts replays, so that it is up to the client to
/// use no ticket twice.
fn with_early_data<C: Client>(tickets: usize) -> Result<Fixture<C>, String> {
    let change_server = |server: &mut ServerSettings| {
        server.max_early_data = ALLOWED;
        server.tickets = tickets;
        server.openssl.accepts_replays = true;
    };
    let change_client = |setup: &mut Setup| setup.early_data = true;
    Fixture::with(Protocol::Tls13, change_server, change_client)
}

fn none_by_default<C: Client>() -> CheckResult {
    let change_server = |server: &mut ServerSettings| {
        server.max_early_data = ALLOWED;
        server.openssl.accepts_replays = true;
    };
    let fixture = Fixture::<C>::with(Protocol::Tls13, change_server, |_| {})?;
    for _ in 0..3 {
        let visit = fixture.visit_at(HOST, PORT)?;
        holds(!visit.early_data, "no early data unless it is enabled")?;
    }
    let (_, visit, accepted) = fixture.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Resumed, "a visit with a session")?;
    equal(&accepted, &0, "early data, if it is not enabled")
}

fn no_more_than_allowed<C: Client>() -> CheckResult {
    let fixture = with_early_data::<C>(2)?;
    fixture.visit()?;
    let data = vec![b'x'; 4 * ALLOWED as usize];
    let (_, visit, accepted) = fixture.open_early(HOST, PORT, &data)?;
    visit.is(
        Resumption::Resumed,
        "a visit with more early data than is allowed",
    )?;
    let within = (1..=ALLOWED as usize).contains(&accepted);
    holds(within, &format!("{accepted} bytes of {ALLOWED} allowed"))
}

fn once_per_ticket<C: Client>() -> CheckResult {
    const TICKETS: usize = 4;
    let fixture = with_early_data::<C>(TICKETS)?;
    fixture.visit()?;
    let mut open = Vec::new();
    let mut offered = HashSet::new();
    for _ in 0..TICKETS {
        let (connection, visit, accepted) = fixture.open_early(HOST, PORT, b"GET /")?;
        equal(&accepted, &5, "early data with an unused ticket")?;
        holds(
            offered.insert(visit.ticket),
            "each connection offers another ticket",
        )?;
        open.push(connection);
    }
    let (_, visit, accepted) = fixture.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Full, "a visit when all tickets are used")?;
    equal(&accepted, &0, "early data without a ticket")
}

fn only_to_its_server<C: Client>() -> CheckResult {
    let fixture = with_early_data::<C>(2)?;
    fixture.visit()?;
    for (host, port) in [(OTHER_HOST, PORT), (HOST, PORT + 1)] {
        let (_, visit, accepted) = fixture.open_early(host, port, b"GET /")?;
        visit.is(Resumption::Full, "a first visit to another server")?;
        equal(&accepted, &0, "early data to another server")?;
    }
    let (_, _, accepted) = fixture.open_early(HOST, PORT, b"GET /")?;
    equal(&accepted, &5, "early data to its own server")
}

fn rejected_is_not_reported_as_accepted<C: Client>() -> CheckResult {
    let fixture = with_early_data::<C>(2)?;
    fixture.visit()?;
    fixture.server.rotate_keys();
    let (_, visit, accepted) = fixture.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Declined, "a visit after a key rotation")?;
    equal(&accepted, &0, "early data after a key rotation")
}
