//! Handshakes succeed whatever the store does, and `clear`: R20 to R22, in one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::server::Protocol;
use tls_resume::{Clock, Limits, Resumption, SystemClock, Timestamp};

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Setup};
use crate::fixture::{Fixture, HOST, PORT, observe};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R20",
            "without a store, handshakes are full and succeed",
            no_store_means_full_handshakes::<C>,
        ),
        Claim::new(
            "R21",
            "a panic inside a callback is a miss",
            panic_is_a_miss::<C>,
        )
        .unless(C::NO_CALLBACKS),
        Claim::new(
            "R21",
            "no lock is held during a handshake",
            no_lock_is_held::<C>,
        ),
        Claim::new("R22", "clear takes effect at once", clear_is_immediate::<C>),
        Claim::new(
            "R22",
            "after clear, late tickets are refused",
            clear_refuses_late_tickets::<C>,
        ),
        Claim::new(
            "R22",
            "clear of one server leaves the others",
            clear_server_leaves_others::<C>,
        ),
    ]
}

fn no_store_means_full_handshakes<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::with_limits(protocol, Limits::off())?;
        for _ in 0..2 {
            fixture.visit()?.is(Resumption::Full, "without a store")?;
        }
    }
    Ok(())
}

/// A clock that panics while its flag is set.
#[derive(Debug)]
struct PanickingClock(Arc<AtomicBool>);

impl Clock for PanickingClock {
    fn now(&self) -> Timestamp {
        if self.0.load(Ordering::SeqCst) {
            // A panic without a message on the terminal.
            std::panic::resume_unwind(Box::new("by a claim"));
        }
        SystemClock.now()
    }
}

fn panic_is_a_miss<C: Client>() -> CheckResult {
    let panics = Arc::new(AtomicBool::new(false));
    let clock = Arc::new(PanickingClock(Arc::clone(&panics)));
    let with_clock = |setup: &mut Setup| setup.clock = clock;
    let fixture = Fixture::<C>::with(Protocol::Tls13, |_| {}, with_clock)?;
    let mut connection = fixture.open(HOST, PORT).map_err(message)?;
    panics.store(true, Ordering::SeqCst);
    let read = connection.read_tickets();
    panics.store(false, Ordering::SeqCst);
    read?;
    equal(
        &fixture.sessions(),
        &0,
        "sessions stored by callbacks that panicked",
    )?;
    connection.close()?;
    fixture.visit()?.is(Resumption::Full, "the next visit")?;
    fixture.visit()?.is(Resumption::Resumed, "the one after it")
}

fn no_lock_is_held<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Arc::new(Fixture::<C>::new(protocol)?);
        fixture.visit()?;
        // During a handshake, another handshake is made and the counters are read.
        let (during, done) = (Arc::clone(&fixture), Arc::new(AtomicBool::new(false)));
        let set_done = Arc::clone(&done);
        fixture.cut_handshake_after(move || {
            let visited = during.visit().is_ok();
            let counted = during.client.stats().stored > 0;
            set_done.store(visited && counted, Ordering::SeqCst);
        })?;
        holds(
            done.load(Ordering::SeqCst),
            "the store can be used during a handshake",
        )?;
    }
    Ok(())
}

fn clear_is_immediate<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit()?;
        fixture.client.clear();
        equal(&fixture.sessions(), &0, "sessions after clear")?;
        fixture.visit()?.is(Resumption::Full, "after clear")?;
        fixture
            .visit()?
            .is(Resumption::Resumed, "with a session stored after clear")?;
    }
    Ok(())
}

fn clear_refuses_late_tickets<C: Client>() -> CheckResult {
    for clear_all in [true, false] {
        let fixture = Fixture::<C>::new(Protocol::Tls13)?;
        let mut connection = fixture.open(HOST, PORT).map_err(message)?;
        if clear_all {
            fixture.client.clear();
        } else {
            fixture.client.clear_server(HOST, PORT);
        }
        holds(
            connection.read_tickets()? > 0,
            "a ticket arrives after clear",
        )?;
        equal(&fixture.sessions(), &0, "sessions after the late tickets")?;
    }
    Ok(())
}

fn clear_server_leaves_others<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    fixture.visit_at(HOST, 1)?;
    fixture.visit_at(HOST, 2)?;
    fixture.client.clear_server(HOST, 1);
    let mut other = fixture.open(HOST, 2).map_err(message)?;
    observe(&mut other)?.is(Resumption::Resumed, "the other server")?;
    fixture
        .visit_at(HOST, 1)?
        .is(Resumption::Full, "the server that was cleared")
}
