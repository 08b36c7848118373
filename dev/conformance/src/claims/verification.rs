//! Verification and revocation: R4.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Failure, Setup};
use crate::fixture::{Fixture, HOST, PORT, foreign_root};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R4",
            "a failed verification stores nothing",
            failed_verification_stores_nothing::<C>,
        ),
        Claim::new(
            "R4",
            "forget revokes what a connection stored",
            forget_revokes_stored_sessions::<C>,
        ),
        Claim::new(
            "R4",
            "after forget, late tickets are refused",
            forget_refuses_late_tickets::<C>,
        ),
        Claim::new(
            "R4",
            "forget revokes the session that was resumed",
            forget_revokes_the_resumed_session::<C>,
        ),
    ]
}

fn failed_verification_stores_nothing<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let foreign_roots = |setup: &mut Setup| setup.roots = vec![foreign_root()];
        let fixture = Fixture::<C>::with(protocol, |_| {}, foreign_roots)?;
        match fixture.open(HOST, PORT) {
            Ok(_) => return Err("a handshake with an untrusted server succeeded".into()),
            Err(failure) => equal(&failure, &Failure::Certificate, "the failure")?,
        }
        equal(&fixture.client.stats().stored, &0, "sessions stored")?;
    }
    Ok(())
}

fn forget_revokes_stored_sessions<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let mut connection = fixture.open(HOST, PORT).map_err(message)?;
        connection.read_tickets()?;
        holds(fixture.sessions() > 0, "a session is stored")?;
        connection.forget();
        equal(&fixture.sessions(), &0, "sessions after forget")?;
        fixture.visit()?.is(Resumption::Full, "after forget")?;
    }
    Ok(())
}

fn forget_refuses_late_tickets<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    let mut connection = fixture.open(HOST, PORT).map_err(message)?;
    connection.forget();
    holds(
        connection.read_tickets()? > 0,
        "a ticket arrives after forget",
    )?;
    equal(&fixture.sessions(), &0, "sessions after the late tickets")
}

fn forget_revokes_the_resumed_session<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    let connection = fixture.open(HOST, PORT).map_err(message)?;
    equal(
        &connection.resumption(),
        &Resumption::Resumed,
        "the second visit",
    )?;
    connection.forget();
    equal(
        &fixture.sessions(),
        &0,
        "sessions after forget on a resumed connection",
    )
}
