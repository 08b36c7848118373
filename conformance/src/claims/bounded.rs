//! Bounded, and never in the way: R16, R20 and R22.

use lab::server::{Protocol, ServerSettings};
use tls_resume::{Backend, Limits, Resumption};

use crate::stage::{HOST, OTHER_HOST, PORT, PROTOCOLS, Stage, equal, said};
use crate::{Checked, Claim, on_both};

pub(crate) fn claims() -> Vec<Claim> {
    vec![
        on_both!(
            "R16",
            "a flood of tickets stays within its server's bound",
            floods_are_bounded
        ),
        on_both!("R16", "servers are bounded", servers_are_bounded),
        on_both!(
            "R20",
            "without a store every handshake is a full one, and succeeds",
            off_is_full
        ),
        on_both!("R22", "clear takes effect at once", clear_is_immediate),
        on_both!(
            "R22",
            "after clear, late tickets are refused",
            clear_refuses_late_tickets
        ),
    ]
}

fn floods_are_bounded<B: Backend>() -> Checked {
    let flood = |server: &mut ServerSettings| server.tickets = 50;
    let limits = Limits::default().with_sessions_per_server(8);
    let stage = Stage::<B>::with(Protocol::Tls13, flood, |builder| builder.limits(limits))?;
    stage.visit_at(OTHER_HOST, PORT)?;
    for _ in 0..3 {
        stage.visit_at(HOST, PORT)?;
    }
    equal(
        &stage.connector.stats().sessions,
        &16,
        "sessions of two servers, 8 for each",
    )?;
    stage
        .visit_at(OTHER_HOST, PORT)?
        .is(Resumption::Resumed, "the server beside the flood")
}

fn servers_are_bounded<B: Backend>() -> Checked {
    let limits = Limits::default().with_servers(3);
    let stage = Stage::<B>::with(Protocol::Tls13, |_| {}, |builder| builder.limits(limits))?;
    for port in 1..=10 {
        stage.visit_at(HOST, port)?;
    }
    let stats = stage.connector.stats();
    equal(&stats.servers, &3, "servers kept of 10")?;
    equal(&(stats.evicted > 0), &true, "evictions counted")?;
    stage
        .visit_at(HOST, 10)?
        .is(Resumption::Resumed, "the newest server")
}

fn off_is_full<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let off = |builder: tls_resume::generic::ConnectorBuilder<B>| builder.limits(Limits::off());
        let stage = Stage::<B>::with(protocol, |_| {}, off)?;
        for _ in 0..2 {
            stage.visit()?.is(Resumption::Full, "without a store")?;
        }
    }
    Ok(())
}

fn clear_is_immediate<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        stage.visit()?;
        stage.connector.clear();
        equal(
            &stage.connector.stats().sessions,
            &0,
            "sessions after clear",
        )?;
        stage.visit()?.is(Resumption::Full, "after clear")?;
        stage
            .visit()?
            .is(Resumption::Resumed, "of connections begun after clear")?;
    }
    Ok(())
}

fn clear_refuses_late_tickets<B: Backend>() -> Checked {
    for whole in [true, false] {
        let stage = Stage::<B>::new(Protocol::Tls13)?;
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        if whole {
            stage.connector.clear();
        } else {
            stage.connector.clear_server(HOST, PORT);
        }
        if connection.read_tickets()? == 0 {
            return Err("no ticket came that could be refused".into());
        }
        equal(
            &stage.connector.stats().sessions,
            &0,
            "sessions after the late tickets",
        )?;
    }
    Ok(())
}
