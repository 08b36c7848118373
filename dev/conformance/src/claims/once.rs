//! Once, and privately: R7 to R10, R14 and R15.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use lab::server::Protocol;
use tls_resume::{Limits, Resumption};

use crate::client::{Client, Connection};
use crate::stage::{HOST, PORT, PROTOCOLS, Stage, equal, holds, said, seen};
use crate::wire::Incident;
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R7",
            "no ticket is used twice, one after another",
            once_in_a_row::<C>,
        ),
        Claim::new(
            "R7",
            "no ticket is used twice by open connections",
            once_at_once::<C>,
        ),
        Claim::new(
            "R7",
            "no ticket is used twice by many threads",
            once_among_threads::<C>,
        ),
        Claim::new(
            "R7",
            "no ticket comes back from a failed handshake",
            gone_after_failure::<C>,
        ),
        Claim::new(
            "R8",
            "several tickets of a server are kept",
            several_are_kept::<C>,
        ),
        Claim::new(
            "R9",
            "a TLS 1.2 session serves until it is replaced",
            reusable_serves::<C>,
        ),
        Claim::new(
            "R9",
            "a TLS 1.2 session goes when its handshake fails",
            reusable_goes::<C>,
        ),
        Claim::new(
            "R9",
            "a TLS 1.2 session goes when the server refuses it afterwards",
            refused_goes::<C>,
        ),
        Claim::new(
            "R9",
            "a newer session survives that failure",
            newer_survives::<C>,
        ),
        Claim::new(
            "R10",
            "a renewed TLS 1.2 ticket is the one used next",
            renewed_is_used::<C>,
        ),
        Claim::new(
            "R14",
            "a drop without close_notify spoils nothing",
            bad_end_is_harmless::<C>,
        ),
        Claim::new(
            "R15",
            "open connections share no session object",
            copies_are_private::<C>,
        ),
    ]
}

fn with_tickets<C: Client>(tickets: usize) -> Result<Stage<C>, String> {
    Stage::with(Protocol::Tls13, |server| server.tickets = tickets, |_| {})
}

fn once_in_a_row<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls13)?;
    let mut used = HashSet::new();
    for visit in 0..20 {
        let ticket = stage.visit()?.ticket;
        let again = ticket.is_some_and(|ticket| !used.insert(ticket));
        holds(!again, &format!("visit {visit} offers a ticket of its own"))?;
    }
    equal(&used.len(), &19, "tickets that the server was offered")
}

fn once_at_once<C: Client>() -> Checked {
    let stage = with_tickets::<C>(4)?;
    stage.visit()?;
    let mut open = Vec::new();
    for number in 0..5 {
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        let expected = if number < 4 {
            Resumption::Resumed
        } else {
            Resumption::Full
        };
        let when = format!("connection {number} of 5 with 4 tickets");
        seen(&mut connection)?.is(expected, &when)?;
        open.push(connection);
    }
    Ok(())
}

fn once_among_threads<C: Client>() -> Checked {
    const THREADS: usize = 32;
    const VISITS: usize = 6;
    let stage = with_tickets::<C>(2)?;
    stage.visit()?;
    let used = Mutex::new(HashSet::new());
    let visits = || {
        for _ in 0..VISITS {
            let ticket = stage.visit()?.ticket;
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            let again = ticket.is_some_and(|ticket| !used.insert(ticket));
            holds(!again, "every ticket that the server sees is a new one")?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(visits)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Checked>| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))
        };
        // All are joined before the first failure is told.
        threads
            .into_iter()
            .map(join)
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Checked>()
    })?;
    let used = used.into_inner().unwrap_or_else(PoisonError::into_inner);
    holds(used.len() > THREADS, "most visits resume")
}

fn gone_after_failure<C: Client>() -> Checked {
    let stage = with_tickets::<C>(1)?;
    stage.visit()?;
    stage.visit_in_vain(Incident::Cut)?;
    let visit = stage.visit()?;
    visit.is(
        Resumption::Full,
        "after the only ticket went into a failed handshake",
    )
}

fn several_are_kept<C: Client>() -> Checked {
    let stage = with_tickets::<C>(6)?;
    stage.visit()?;
    equal(
        &stage.sessions(),
        &6,
        "sessions kept of a server that sends 6",
    )
}

fn reusable_serves<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    for visit in 0..5 {
        stage
            .visit()?
            .is(Resumption::Resumed, &format!("visit {visit}"))?;
        equal(&stage.sessions(), &1, "sessions kept of one server")?;
    }
    Ok(())
}

fn reusable_goes<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    stage.visit_in_vain(Incident::Cut)?;
    equal(&stage.sessions(), &0, "sessions after the failed handshake")?;
    stage
        .visit()?
        .is(Resumption::Full, "after the failed handshake")?;
    stage
        .visit()?
        .is(Resumption::Resumed, "after the next good one")
}

fn refused_goes<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    let mut connection = stage.open(HOST, PORT).map_err(said)?;
    seen(&mut connection)?.is(Resumption::Resumed, "the second visit")?;
    // The client has finished its handshake; the server now meets a record that it cannot decrypt
    // and says so with a fatal alert, as if the client's last message had been wrong.
    let garbage = [&b"\x17\x03\x03\x00\x20"[..], &[0x5a; 32]].concat();
    connection.wire().write_all(&garbage).map_err(said)?;
    holds(
        connection.read_data().is_err(),
        "the server ends the connection",
    )?;
    drop(connection);
    stage
        .visit()?
        .is(Resumption::Full, "after the server's alert")
}

fn newer_survives<C: Client>() -> Checked {
    let stage = Arc::new(Stage::<C>::renewing(Protocol::Tls12, Limits::default())?);
    stage.visit()?;
    // While one handshake is under way with the session, another one renews it.
    let also = Arc::clone(&stage);
    stage.visit_in_vain(Incident::MeanwhileAndCut(Box::new(move || {
        let _ = also.visit();
    })))?;
    equal(&stage.sessions(), &1, "sessions after the failed handshake")?;
    stage
        .visit()?
        .is(Resumption::Resumed, "with the newer session")
}

fn renewed_is_used<C: Client>() -> Checked {
    let stage = Stage::<C>::renewing(Protocol::Tls12, Limits::default())?;
    stage.visit()?;
    let mut used = HashSet::new();
    for number in 0..4 {
        let visit = stage.visit()?;
        visit.is(Resumption::Resumed, &format!("visit {number}"))?;
        let new = visit.ticket.is_some_and(|ticket| used.insert(ticket));
        holds(
            new,
            &format!("visit {number} offers the ticket that was renewed last"),
        )?;
    }
    Ok(())
}

fn bad_end_is_harmless<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        // The only ticket is also the last one, whose object OpenSSL spoils.
        let stage = Stage::<C>::with(protocol, |server| server.tickets = 1, |_| {})?;
        for visit in 0..3 {
            let mut connection = stage.open(HOST, PORT).map_err(said)?;
            connection.read_tickets()?;
            let expected = if visit == 0 {
                Resumption::Full
            } else {
                Resumption::Resumed
            };
            seen(&mut connection)?.is(expected, &format!("visit {visit}, {protocol}"))?;
        }
    }
    Ok(())
}

fn copies_are_private<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    let mut one = stage.open(HOST, PORT).map_err(said)?;
    let mut other = stage.open(HOST, PORT).map_err(said)?;
    seen(&mut one)?.is(Resumption::Resumed, "the first of two at once")?;
    drop(one);
    seen(&mut other)?.is(Resumption::Resumed, "the second of two at once")?;
    stage
        .visit()?
        .is(Resumption::Resumed, "after one of them came to a bad end")
}
