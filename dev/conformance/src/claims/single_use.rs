//! Single-use and reusable sessions: R7 to R10, R14, R15 and R32.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use lab::server::{Protocol, ServerSettings};
use tls_resume::{Limits, Resumption, ReuseTickets};

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Setup};
use crate::fixture::{Fixture, HOST, PORT, observe};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R7",
            "no ticket is used twice, one after another",
            once_in_sequence::<C>,
        ),
        Claim::new(
            "R7",
            "no ticket is used twice by open connections",
            once_among_open_connections::<C>,
        ),
        Claim::new(
            "R7",
            "no ticket is used twice by many threads",
            once_among_threads::<C>,
        ),
        Claim::new(
            "R7",
            "a ticket of a failed handshake is not used again",
            not_returned_by_a_failure::<C>,
        ),
        Claim::new(
            "R8",
            "several tickets of a server are kept",
            several_tickets_are_stored::<C>,
        ),
        Claim::new(
            "R9",
            "a TLS 1.2 session is reused until it is replaced",
            reusable_is_reused::<C>,
        ),
        Claim::new(
            "R9",
            "a TLS 1.2 session is removed when its handshake fails",
            failure_removes_reusable::<C>,
        ),
        Claim::new(
            "R9",
            "an alert after the handshake removes a TLS 1.2 session",
            alert_removes_reusable::<C>,
        ),
        Claim::new(
            "R9",
            "a failed handshake does not remove a newer TLS 1.2 session",
            newer_reusable_is_not_removed::<C>,
        ),
        Claim::new(
            "R10",
            "a renewed TLS 1.2 ticket is the one used next",
            renewed_ticket_is_used::<C>,
        ),
        Claim::new(
            "R14",
            "a drop without close_notify does not invalidate the session",
            drop_does_not_invalidate::<C>,
        ),
        Claim::new(
            "R15",
            "open connections share no session object",
            connections_share_no_object::<C>,
        ),
        Claim::new(
            "R32",
            "a ticket is offered until it is renewed, if so set",
            reused_until_renewed::<C>,
        )
        .unless(C::NO_REUSE),
    ]
}

fn with_tickets<C: Client>(tickets: usize) -> Result<Fixture<C>, String> {
    Fixture::with(Protocol::Tls13, |server| server.tickets = tickets, |_| {})
}

fn once_in_sequence<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    let mut used = HashSet::new();
    for visit in 0..20 {
        let ticket = fixture.visit()?.ticket;
        let reused = ticket.is_some_and(|ticket| !used.insert(ticket));
        holds(!reused, &format!("visit {visit} offers a new ticket"))?;
    }
    equal(&used.len(), &19, "tickets that the server was offered")
}

fn once_among_open_connections<C: Client>() -> CheckResult {
    let fixture = with_tickets::<C>(4)?;
    fixture.visit()?;
    let mut open = Vec::new();
    for number in 0..5 {
        let mut connection = fixture.open(HOST, PORT).map_err(message)?;
        let expected = if number < 4 {
            Resumption::Resumed
        } else {
            Resumption::Full
        };
        let when = format!("connection {number} of 5 with 4 tickets");
        observe(&mut connection)?.is(expected, &when)?;
        open.push(connection);
    }
    Ok(())
}

fn once_among_threads<C: Client>() -> CheckResult {
    const THREADS: usize = 32;
    const VISITS: usize = 6;
    let fixture = with_tickets::<C>(2)?;
    fixture.visit()?;
    let used = Mutex::new(HashSet::new());
    let visits = || {
        for _ in 0..VISITS {
            let ticket = fixture.visit()?.ticket;
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            let reused = ticket.is_some_and(|ticket| !used.insert(ticket));
            holds(!reused, "each visit offers a new ticket")?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(visits)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, CheckResult>| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))
        };
        // All threads are joined before the first failure is returned.
        threads
            .into_iter()
            .map(join)
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<CheckResult>()
    })?;
    let used = used.into_inner().unwrap_or_else(PoisonError::into_inner);
    holds(used.len() > THREADS, "most visits resume")
}

fn not_returned_by_a_failure<C: Client>() -> CheckResult {
    let fixture = with_tickets::<C>(1)?;
    fixture.visit()?;
    fixture.cut_handshake()?;
    let left = "sessions after a failed handshake with the only ticket";
    equal(&fixture.sessions(), &0, left)?;
    fixture.visit()?.is(Resumption::Full, "after it")
}

fn several_tickets_are_stored<C: Client>() -> CheckResult {
    let fixture = with_tickets::<C>(6)?;
    fixture.visit()?;
    equal(
        &fixture.sessions(),
        &6,
        "sessions stored of a server that sends 6",
    )
}

fn reusable_is_reused<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    for visit in 0..5 {
        fixture
            .visit()?
            .is(Resumption::Resumed, &format!("visit {visit}"))?;
        equal(&fixture.sessions(), &1, "sessions stored of one server")?;
    }
    Ok(())
}

fn failure_removes_reusable<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    fixture.cut_handshake()?;
    equal(
        &fixture.sessions(),
        &0,
        "sessions after the failed handshake",
    )?;
    fixture
        .visit()?
        .is(Resumption::Full, "after the failed handshake")?;
    fixture
        .visit()?
        .is(Resumption::Resumed, "after a completed handshake")
}

fn alert_removes_reusable<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    let mut connection = fixture.open(HOST, PORT).map_err(message)?;
    observe(&mut connection)?.is(Resumption::Resumed, "the second visit")?;
    // The client has completed its handshake. The server then receives a record that it cannot
    // decrypt, and sends a fatal alert, as it does if the client's last message is wrong.
    let garbage = [&b"\x17\x03\x03\x00\x20"[..], &[0x5a; 32]].concat();
    connection.wire().write_all(&garbage).map_err(message)?;
    holds(
        connection.read_data().is_err(),
        "the server ends the connection",
    )?;
    drop(connection);
    equal(&fixture.sessions(), &0, "sessions after the server's alert")?;
    fixture
        .visit()?
        .is(Resumption::Full, "after the server's alert")
}

fn newer_reusable_is_not_removed<C: Client>() -> CheckResult {
    let fixture = Arc::new(Fixture::<C>::with_renewals(
        Protocol::Tls12,
        Limits::default(),
    )?);
    fixture.visit()?;
    // During a handshake with the session, another handshake renews it.
    let during = Arc::clone(&fixture);
    fixture.cut_handshake_after(move || {
        let _ = during.visit();
    })?;
    equal(
        &fixture.sessions(),
        &1,
        "sessions after the failed handshake",
    )?;
    // One connection may offer nothing, to find out whether handshakes succeed at all.
    fixture.visit()?;
    fixture
        .visit()?
        .is(Resumption::Resumed, "with the newer session")
}

fn renewed_ticket_is_used<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::with_renewals(Protocol::Tls12, Limits::default())?;
    fixture.visit()?;
    let mut used = HashSet::new();
    for number in 0..4 {
        let visit = fixture.visit()?;
        visit.is(Resumption::Resumed, &format!("visit {number}"))?;
        let new = visit.ticket.is_some_and(|ticket| used.insert(ticket));
        holds(new, &format!("visit {number} offers the newest ticket"))?;
    }
    Ok(())
}

fn drop_does_not_invalidate<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        // With one ticket: OpenSSL invalidates the object of the last one.
        let fixture = Fixture::<C>::with(protocol, |server| server.tickets = 1, |_| {})?;
        for visit in 0..3 {
            let mut connection = fixture.open(HOST, PORT).map_err(message)?;
            connection.read_tickets()?;
            let expected = if visit == 0 {
                Resumption::Full
            } else {
                Resumption::Resumed
            };
            observe(&mut connection)?.is(expected, &format!("visit {visit}, {protocol}"))?;
        }
    }
    Ok(())
}

fn connections_share_no_object<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    let mut one = fixture.open(HOST, PORT).map_err(message)?;
    let mut other = fixture.open(HOST, PORT).map_err(message)?;
    observe(&mut one)?.is(Resumption::Resumed, "the first of two at once")?;
    drop(one);
    observe(&mut other)?.is(Resumption::Resumed, "the second of two at once")?;
    fixture
        .visit()?
        .is(Resumption::Resumed, "after one of them was dropped")
}

/// One ticket, from a server that sends no other after a resumption.
fn reused_until_renewed<C: Client>() -> CheckResult {
    let renews_nothing = |server: &mut ServerSettings| {
        server.tickets = 1;
        server.openssl.renews_nothing = true;
    };
    let reuse = |setup: &mut Setup| setup.reuse_tickets = ReuseTickets::UntilRenewed;
    let fixture = Fixture::<C>::with(Protocol::Tls13, renews_nothing, reuse)?;
    fixture.visit()?.is(Resumption::Full, "the first visit")?;
    for _ in 0..7 {
        fixture
            .visit()?
            .is(Resumption::Resumed, "every other visit")?;
    }
    equal(&fixture.sessions(), &1, "sessions in the store")
}
