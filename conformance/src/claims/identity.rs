//! Who may resume what: R1 to R6.

use lab::server::Protocol;
use tls_resume::{Backend, ErrorKind, Resumption};

use crate::stage::{HOST, OTHER_HOST, PORT, PROTOCOLS, Stage, equal, said};
use crate::{Checked, Claim, on_both};

pub(crate) fn claims() -> Vec<Claim> {
    vec![
        on_both!("R1", "another port is another server", ports_are_apart),
        on_both!(
            "R1",
            "another name of one server is another server",
            names_are_apart
        ),
        on_both!("R1", "spellings of one name are one server", spellings_meet),
        on_both!(
            "R3",
            "a late ticket goes under its own server",
            late_tickets_go_home
        ),
        on_both!(
            "R4",
            "a failed verification leaves nothing",
            unverified_leaves_nothing
        ),
        on_both!(
            "R4",
            "forget revokes what a connection stored",
            forget_revokes
        ),
        on_both!(
            "R4",
            "after forget, late tickets are refused",
            forget_refuses_late_tickets
        ),
        on_both!("R6", "a host can be kept from resuming", some_never_resume),
    ]
}

fn ports_are_apart<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        stage
            .visit_at(HOST, PORT + 1)?
            .is(Resumption::Full, "the other port")?;
        stage
            .visit_at(HOST, PORT)?
            .is(Resumption::Resumed, "the same port")?;
    }
    Ok(())
}

fn names_are_apart<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        stage
            .visit_at(OTHER_HOST, PORT)?
            .is(Resumption::Full, "the other name")?;
        stage
            .visit_at(HOST, PORT)?
            .is(Resumption::Resumed, "the same name")?;
    }
    Ok(())
}

fn spellings_meet<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        let upper = HOST.to_ascii_uppercase();
        stage
            .visit_at(&upper, PORT)?
            .is(Resumption::Resumed, "in upper case")?;
        let dotted = format!("{HOST}.");
        stage
            .visit_at(&dotted, PORT)?
            .is(Resumption::Resumed, "with a trailing dot")?;
    }
    Ok(())
}

fn late_tickets_go_home<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls13)?;
    let mut early = stage.open(HOST, PORT).map_err(said)?;
    let between = stage.open(OTHER_HOST, PORT).map_err(said)?;
    early.read_tickets()?;
    early.close()?;
    drop(between);
    stage
        .visit_at(OTHER_HOST, PORT)?
        .is(Resumption::Full, "the server in between")?;
    stage
        .visit_at(HOST, PORT)?
        .is(Resumption::Resumed, "the server of the ticket")
}

fn unverified_leaves_nothing<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::distrusting(protocol)?;
        match stage.open(HOST, PORT) {
            Ok(_) => return Err("a handshake with an untrusted server succeeded".into()),
            Err(error) => equal(&error.kind(), &ErrorKind::Certificate, "the error")?,
        }
        equal(&stage.connector.stats().stored, &0, "sessions stored")?;
    }
    Ok(())
}

fn forget_revokes<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        connection.read_tickets()?;
        let stored = stage.connector.stats().sessions;
        if stored == 0 {
            return Err("nothing was stored that could be revoked".into());
        }
        connection.0.forget();
        equal(
            &stage.connector.stats().sessions,
            &0,
            "sessions after forget",
        )?;
        stage.visit()?.is(Resumption::Full, "after forget")?;
    }
    Ok(())
}

fn forget_refuses_late_tickets<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls13)?;
    let mut connection = stage.open(HOST, PORT).map_err(said)?;
    connection.0.forget();
    if connection.read_tickets()? == 0 {
        return Err("no ticket came that could be refused".into());
    }
    equal(
        &stage.connector.stats().sessions,
        &0,
        "sessions after the late tickets",
    )
}

fn some_never_resume<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let never = [HOST.to_ascii_uppercase()];
        let stage = Stage::<B>::with(protocol, |_| {}, |builder| builder.never_resume(never))?;
        for _ in 0..2 {
            stage
                .visit()?
                .is(Resumption::Full, "the host that never resumes")?;
        }
        equal(&stage.connector.stats().stored, &0, "sessions stored")?;
        stage.visit_at(OTHER_HOST, PORT)?;
        stage
            .visit_at(OTHER_HOST, PORT)?
            .is(Resumption::Resumed, "another host")?;
    }
    Ok(())
}
