//! Connections that resume the session of one given connection, and no other: R37.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Options};
use crate::fixture::{Fixture, HOST, PORT, Visit, observe};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let if_supported =
        |title, check: fn() -> CheckResult| Claim::new("R37", title, check).unless(C::NO_KIN);
    vec![
        if_supported(
            "kin of a connection resume its session and no other",
            kin_are_kept_apart::<C>,
        ),
        if_supported(
            "kin of a connection resume as often as asked",
            kin_are_many::<C>,
        ),
        if_supported(
            "kin of a connection leave the store as it is",
            the_store_is_left_alone::<C>,
        ),
        if_supported(
            "after a full handshake of kin, the next one is full, too",
            a_full_handshake_makes_no_kin::<C>,
        ),
        if_supported(
            "clear revokes the session that a connection keeps",
            clear_revokes::<C>,
        ),
    ]
}

/// A connection that keeps its session, and has read its tickets.
fn open_keeping<C: Client>(fixture: &Fixture<C>) -> Result<C::Connection, String> {
    let options = Options {
        keep_session: true,
        ..Options::default()
    };
    let opened = fixture
        .client
        .connect_with(HOST, PORT, fixture.wire(), &options);
    let mut connection = opened.map_err(message)?;
    connection.read_tickets()?;
    Ok(connection)
}

/// A kin of `connection`, which reads its tickets if it `reads`.
fn visit_kin<C: Client>(
    fixture: &Fixture<C>,
    connection: &C::Connection,
    reads: bool,
) -> Result<Visit, String> {
    let opened = fixture.client.connect_kin(connection, fixture.wire());
    let mut kin = opened.map_err(message)?;
    if reads {
        kin.read_tickets()?;
    }
    let visit = observe(&mut kin)?;
    kin.close()?;
    Ok(visit)
}

fn kin_are_kept_apart<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let connections = [open_keeping(&fixture)?, open_keeping(&fixture)?];
        let mut offered = [Vec::new(), Vec::new()];
        for _ in 0..3 {
            for (connection, offered) in connections.iter().zip(&mut offered) {
                let visit = visit_kin(&fixture, connection, true)?;
                visit.is(Resumption::Resumed, "a kin")?;
                offered.push(visit.ticket);
            }
        }
        let [first, second] = offered;
        let is_shared = first.iter().any(|session| second.contains(session));
        holds(!is_shared, "kin of different connections share no session")?;
    }
    Ok(())
}

/// Without reading a ticket, unless tickets cannot be copied.
fn kin_are_many<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let connection = open_keeping(&fixture)?;
        let reads = protocol == Protocol::Tls13 && C::NO_REUSE.is_some();
        for number in 1..=8 {
            let visit = visit_kin(&fixture, &connection, reads)?;
            visit.is(Resumption::Resumed, &format!("kin number {number}"))?;
        }
    }
    Ok(())
}

fn the_store_is_left_alone<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit()?;
        let before = fixture.client.stats();
        let connection = open_keeping(&fixture)?;
        for _ in 0..3 {
            visit_kin(&fixture, &connection, true)?;
        }
        equal(&fixture.client.stats(), &before, "the counters")?;
        let visit = fixture.visit()?;
        visit.is(Resumption::Resumed, "the next connection")?;
    }
    Ok(())
}

fn a_full_handshake_makes_no_kin<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let connection = open_keeping(&fixture)?;
        connection.forget();
        for number in 1..=3 {
            let visit = visit_kin(&fixture, &connection, true)?;
            visit.is(Resumption::Full, &format!("kin number {number}"))?;
        }
    }
    Ok(())
}

fn clear_revokes<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        for clear in [C::clear, |client: &C| client.clear_server(HOST, PORT)] {
            let fixture = Fixture::<C>::new(protocol)?;
            let connection = open_keeping(&fixture)?;
            clear(&fixture.client);
            let visit = visit_kin(&fixture, &connection, true)?;
            visit.is(Resumption::Full, "a kin after the clear")?;
        }
    }
    Ok(())
}
