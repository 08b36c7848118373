//! Only what was verified: R4.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::client::{Client, Connection, Failure, Setup};
use crate::stage::{HOST, PORT, PROTOCOLS, Stage, equal, foreign_root, holds, said};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R4",
            "a failed verification leaves nothing",
            failure_leaves_nothing::<C>,
        ),
        Claim::new(
            "R4",
            "forget revokes what a connection stored",
            forget_revokes::<C>,
        ),
        Claim::new(
            "R4",
            "after forget, late tickets are refused",
            forget_refuses_the_late::<C>,
        ),
        Claim::new(
            "R4",
            "forget revokes the session that was resumed",
            forget_goes_back::<C>,
        ),
    ]
}

fn failure_leaves_nothing<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let distrusts = |setup: &mut Setup| setup.roots = vec![foreign_root()];
        let stage = Stage::<C>::with(protocol, |_| {}, distrusts)?;
        match stage.open(HOST, PORT) {
            Ok(_) => return Err("a handshake with an untrusted server succeeded".into()),
            Err(failure) => equal(&failure, &Failure::Certificate, "the failure")?,
        }
        equal(&stage.client.stats().stored, &0, "sessions stored")?;
    }
    Ok(())
}

fn forget_revokes<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        connection.read_tickets()?;
        holds(
            stage.sessions() > 0,
            "something is stored that can be revoked",
        )?;
        connection.forget();
        equal(&stage.sessions(), &0, "sessions after forget")?;
        stage.visit()?.is(Resumption::Full, "after forget")?;
    }
    Ok(())
}

fn forget_refuses_the_late<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls13)?;
    let mut connection = stage.open(HOST, PORT).map_err(said)?;
    connection.forget();
    holds(
        connection.read_tickets()? > 0,
        "a ticket comes that can be refused",
    )?;
    equal(&stage.sessions(), &0, "sessions after the late tickets")
}

fn forget_goes_back<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    let connection = stage.open(HOST, PORT).map_err(said)?;
    equal(
        &connection.resumption(),
        &Resumption::Resumed,
        "the second visit",
    )?;
    connection.forget();
    equal(
        &stage.sessions(),
        &0,
        "sessions after forget on a resumed connection",
    )
}
