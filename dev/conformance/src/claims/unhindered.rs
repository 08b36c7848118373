//! Never in the way: R20 to R22, in one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::server::Protocol;
use tls_resume::{Clock, Limits, Resumption, SystemClock, Timestamp};

use crate::client::{Client, Connection, Setup};
use crate::stage::{HOST, PORT, PROTOCOLS, Stage, equal, holds, said, seen};
use crate::wire::Incident;
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let panics = Claim::new(
        "R21",
        "a panic inside a callback is a miss",
        panic_is_a_miss::<C>,
    );
    vec![
        Claim::new(
            "R20",
            "without a store, handshakes are full and succeed",
            off_is_full::<C>,
        ),
        Claim::unless(C::NO_CALLBACKS, panics),
        Claim::new(
            "R21",
            "no lock is held during a handshake",
            no_lock_is_held::<C>,
        ),
        Claim::new("R22", "clear takes effect at once", clear_is_immediate::<C>),
        Claim::new(
            "R22",
            "after clear, late tickets are refused",
            clear_refuses_the_late::<C>,
        ),
        Claim::new(
            "R22",
            "clear of one server leaves the others",
            clear_of_one::<C>,
        ),
    ]
}

fn off_is_full<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::within(protocol, Limits::off())?;
        for _ in 0..2 {
            stage.visit()?.is(Resumption::Full, "without a store")?;
        }
    }
    Ok(())
}

/// A clock that panics while it is told to.
#[derive(Debug)]
struct Panicking(Arc<AtomicBool>);

impl Clock for Panicking {
    fn now(&self) -> Timestamp {
        if self.0.load(Ordering::SeqCst) {
            // Unwinds as a panic does, without a message on the terminal.
            std::panic::resume_unwind(Box::new("a claim demands it"));
        }
        SystemClock.now()
    }
}

fn panic_is_a_miss<C: Client>() -> Checked {
    let panics = Arc::new(AtomicBool::new(false));
    let clock = Arc::new(Panicking(Arc::clone(&panics)));
    let on_that_clock = |setup: &mut Setup| setup.clock = clock;
    let stage = Stage::<C>::with(Protocol::Tls13, |_| {}, on_that_clock)?;
    let mut connection = stage.open(HOST, PORT).map_err(said)?;
    panics.store(true, Ordering::SeqCst);
    let read = connection.read_tickets();
    panics.store(false, Ordering::SeqCst);
    read?;
    equal(
        &stage.sessions(),
        &0,
        "sessions stored by callbacks that panicked",
    )?;
    connection.close()?;
    stage.visit()?.is(Resumption::Full, "the next visit")?;
    stage.visit()?.is(Resumption::Resumed, "the one after it")
}

fn no_lock_is_held<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Arc::new(Stage::<C>::new(protocol)?);
        stage.visit()?;
        // Another handshake and a look at the counters, in the middle of one.
        let (also, done) = (Arc::clone(&stage), Arc::new(AtomicBool::new(false)));
        let done_too = Arc::clone(&done);
        stage.visit_in_vain(Incident::MeanwhileAndCut(Box::new(move || {
            let visited = also.visit().is_ok();
            let counted = also.client.stats().stored > 0;
            done_too.store(visited && counted, Ordering::SeqCst);
        })))?;
        holds(
            done.load(Ordering::SeqCst),
            "the store serves others during a handshake",
        )?;
    }
    Ok(())
}

fn clear_is_immediate<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        stage.visit()?;
        stage.client.clear();
        equal(&stage.sessions(), &0, "sessions after clear")?;
        stage.visit()?.is(Resumption::Full, "after clear")?;
        stage
            .visit()?
            .is(Resumption::Resumed, "of connections begun after clear")?;
    }
    Ok(())
}

fn clear_refuses_the_late<C: Client>() -> Checked {
    for of_all in [true, false] {
        let stage = Stage::<C>::new(Protocol::Tls13)?;
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        if of_all {
            stage.client.clear();
        } else {
            stage.client.clear_server(HOST, PORT);
        }
        holds(
            connection.read_tickets()? > 0,
            "a ticket comes that can be refused",
        )?;
        equal(&stage.sessions(), &0, "sessions after the late tickets")?;
    }
    Ok(())
}

fn clear_of_one<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls13)?;
    stage.visit_at(HOST, 1)?;
    stage.visit_at(HOST, 2)?;
    stage.client.clear_server(HOST, 1);
    let mut other = stage.open(HOST, 2).map_err(said)?;
    seen(&mut other)?.is(Resumption::Resumed, "the other server")?;
    stage
        .visit_at(HOST, 1)?
        .is(Resumption::Full, "the server that was cleared")
}
