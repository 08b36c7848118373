//! Single use and renewal: R7 to R10, R14 and R15.

use std::collections::HashSet;

use lab::server::Protocol;
use tls_resume::{Backend, Resumption};

use crate::stage::{HOST, PORT, PROTOCOLS, Stage, equal, said};
use crate::{Checked, Claim, on_both};

pub(crate) fn claims() -> Vec<Claim> {
    vec![
        on_both!(
            "R7",
            "no TLS 1.3 ticket is used twice, one after another",
            used_once_in_a_row
        ),
        on_both!(
            "R7",
            "no TLS 1.3 ticket is used twice at the same time",
            used_once_at_once
        ),
        on_both!(
            "R7",
            "a ticket does not come back from a failed handshake",
            gone_after_failure
        ),
        on_both!(
            "R8",
            "several tickets of a server are kept",
            several_are_kept
        ),
        on_both!(
            "R9",
            "a TLS 1.2 session is used until it is replaced",
            reusable_is_reused
        ),
        on_both!(
            "R9",
            "a TLS 1.2 session goes when its handshake fails",
            reusable_goes_on_failure
        ),
        on_both!(
            "R10",
            "a renewed TLS 1.2 ticket is the one used next",
            renewed_is_used
        ),
        on_both!(
            "R14",
            "a drop without close_notify spoils no session",
            unclean_drop_is_harmless
        ),
        on_both!(
            "R15",
            "connections at the same time share no session object",
            copies_are_private
        ),
    ]
}

fn used_once_in_a_row<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls13)?;
    let mut seen = HashSet::new();
    for visit in 0..20 {
        let ticket = stage.visit()?.ticket;
        if ticket.is_some_and(|ticket| !seen.insert(ticket)) {
            return Err(format!("visit {visit} offered a ticket again"));
        }
    }
    equal(&seen.len(), &19, "tickets that the server was offered")
}

fn used_once_at_once<B: Backend>() -> Checked {
    let stage = Stage::<B>::with(
        Protocol::Tls13,
        |server| server.tickets = 4,
        |builder| builder,
    )?;
    stage.visit()?;
    let mut open = Vec::new();
    let mut seen = HashSet::new();
    for number in 0..5 {
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        let visit = connection.seen()?;
        let expected = if number < 4 {
            Resumption::Resumed
        } else {
            Resumption::Full
        };
        visit.is(
            expected,
            &format!("connection {number} of 5 with 4 tickets"),
        )?;
        if visit.ticket.is_some_and(|ticket| !seen.insert(ticket)) {
            return Err(format!(
                "connection {number} offered a ticket that another one holds"
            ));
        }
        open.push(connection);
    }
    Ok(())
}

fn gone_after_failure<B: Backend>() -> Checked {
    let stage = Stage::<B>::with(
        Protocol::Tls13,
        |server| server.tickets = 1,
        |builder| builder,
    )?;
    stage.visit()?;
    stage.visit_cut_off()?;
    let visit = stage.visit()?;
    visit.is(
        Resumption::Full,
        "after the only ticket went into a failed handshake",
    )?;
    equal(&visit.ticket, &None, "what the server was offered")
}

fn several_are_kept<B: Backend>() -> Checked {
    let stage = Stage::<B>::with(
        Protocol::Tls13,
        |server| server.tickets = 6,
        |builder| builder,
    )?;
    stage.visit()?;
    equal(
        &stage.connector.stats().sessions,
        &6,
        "sessions kept of a server that sends 6",
    )
}

fn reusable_is_reused<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls12)?;
    stage.visit()?;
    for visit in 0..5 {
        stage
            .visit()?
            .is(Resumption::Resumed, &format!("visit {visit}"))?;
        equal(
            &stage.connector.stats().sessions,
            &1,
            "sessions kept of one server",
        )?;
    }
    Ok(())
}

fn reusable_goes_on_failure<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls12)?;
    stage.visit()?;
    stage.visit_cut_off()?;
    equal(
        &stage.connector.stats().sessions,
        &0,
        "sessions after the failed handshake",
    )?;
    stage
        .visit()?
        .is(Resumption::Full, "after the failed handshake")?;
    stage
        .visit()?
        .is(Resumption::Resumed, "after the next good one")
}

fn renewed_is_used<B: Backend>() -> Checked {
    let stage = Stage::<B>::renewing(Protocol::Tls12, |builder| builder)?;
    stage.visit()?;
    let mut seen = HashSet::new();
    for visit in 0..4 {
        let visit_now = stage.visit()?;
        visit_now.is(Resumption::Resumed, &format!("visit {visit}"))?;
        if visit_now.ticket.is_none_or(|ticket| !seen.insert(ticket)) {
            return Err(format!(
                "visit {visit} offered the ticket from before the renewal"
            ));
        }
    }
    Ok(())
}

fn unclean_drop_is_harmless<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::with(protocol, |server| server.tickets = 1, |builder| builder)?;
        for visit in 0..3 {
            // The only ticket is also the last one, which OpenSSL marks as not resumable.
            let mut connection = stage.open(HOST, PORT).map_err(said)?;
            connection.read_tickets()?;
            let expected = if visit == 0 {
                Resumption::Full
            } else {
                Resumption::Resumed
            };
            connection
                .seen()?
                .is(expected, &format!("visit {visit}, {protocol}"))?;
        }
    }
    Ok(())
}

fn copies_are_private<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls12)?;
    stage.visit()?;
    let mut one = stage.open(HOST, PORT).map_err(said)?;
    let mut other = stage.open(HOST, PORT).map_err(said)?;
    one.seen()?
        .is(Resumption::Resumed, "the first of two at once")?;
    drop(one);
    other
        .seen()?
        .is(Resumption::Resumed, "the second of two at once")?;
    stage.visit()?.is(
        Resumption::Resumed,
        "after one of them was dropped uncleanly",
    )
}
