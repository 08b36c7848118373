//! Bounded, whatever the server does: R16 to R19.

use std::time::Duration;

use lab::server::{Protocol, ServerSettings};
use tls_resume::{Limits, Resumption};

use crate::client::{Client, Connection};
use crate::stage::{HOST, OTHER_HOST, PORT, Stage, equal, holds, said, seen};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R16",
            "a flood of tickets stays in its server's bounds",
            floods_end::<C>,
        ),
        Claim::new("R16", "servers are bounded", servers_are_bounded::<C>),
        Claim::new("R16", "bytes are bounded", bytes_are_bounded::<C>),
        Claim::new(
            "R16",
            "what is too large is refused and counted",
            large_is_refused::<C>,
        ),
        Claim::new(
            "R17",
            "the server used least recently goes first",
            oldest_goes_first::<C>,
        ),
        Claim::new(
            "R17",
            "a hot server survives a scan of cold ones",
            hot_survives::<C>,
        ),
        Claim::new(
            "R17",
            "expired sessions go before living ones",
            expired_go_first::<C>,
        ),
        Claim::new(
            "R18",
            "a server without sessions holds no place",
            empty_holds_nothing::<C>,
        ),
        Claim::new(
            "R19",
            "expired sessions go without a visit",
            sweep_finds_them::<C>,
        ),
    ]
}

fn floods_end<C: Client>() -> Checked {
    // rustls 0.24.0-dev.1 breaks a connection after 32 messages in a row that bring no data.
    let flood = |server: &mut ServerSettings| server.tickets = 32;
    let limits = Limits::default().with_sessions_per_server(8);
    let stage = Stage::<C>::with(Protocol::Tls13, flood, |setup| setup.limits = limits)?;
    stage.visit_at(OTHER_HOST, PORT)?;
    for _ in 0..3 {
        stage.visit_at(HOST, PORT)?;
    }
    equal(
        &stage.sessions(),
        &16,
        "sessions of two servers, 8 for each",
    )?;
    let other = stage.visit_at(OTHER_HOST, PORT)?;
    other.is(Resumption::Resumed, "the server beside the flood")
}

fn servers_are_bounded<C: Client>() -> Checked {
    let stage = Stage::<C>::within(Protocol::Tls13, Limits::default().with_servers(3))?;
    for port in 1..=10 {
        stage.visit_at(HOST, port)?;
    }
    let stats = stage.client.stats();
    equal(&stats.servers, &3, "servers kept of 10")?;
    holds(stats.evicted > 0, "evictions are counted")?;
    stage
        .visit_at(HOST, 10)?
        .is(Resumption::Resumed, "the newest server")
}

fn bytes_are_bounded<C: Client>() -> Checked {
    const TOTAL: usize = 100 * 1024;
    let limits = Limits::default().with_bytes(64 * 1024, 64 * 1024, TOTAL);
    let stage = Stage::<C>::within(Protocol::Tls13, limits)?;
    // However small sessions are, so many fill it.
    let mut visited = 0;
    while stage.client.stats().evicted == 0 && visited < 2_000 {
        visited += 1;
        stage.visit_at(HOST, visited)?;
    }
    for _ in 0..20 {
        visited += 1;
        stage.visit_at(HOST, visited)?;
    }
    let stats = stage.client.stats();
    holds(
        stats.bytes <= TOTAL as u64,
        "the store stays within its bytes",
    )?;
    holds(
        stats.servers > 1 && stats.servers < u64::from(visited),
        "some servers are kept, not all",
    )
}

fn large_is_refused<C: Client>() -> Checked {
    let limits = Limits::default().with_bytes(200, 1024 * 1024, 1024 * 1024);
    let stage = Stage::<C>::within(Protocol::Tls13, limits)?;
    for _ in 0..2 {
        stage
            .visit()?
            .is(Resumption::Full, "with room for sessions of 200 bytes")?;
    }
    equal(
        &stage.client.stats().refused_too_large,
        &4,
        "sessions refused of 2 visits",
    )
}

fn oldest_goes_first<C: Client>() -> Checked {
    let stage = Stage::<C>::within(Protocol::Tls13, Limits::default().with_servers(3))?;
    for port in [1, 2, 3, 1, 4] {
        stage.visit_at(HOST, port)?;
    }
    for port in [3, 1, 4] {
        let mut connection = stage.open(HOST, port).map_err(said)?;
        seen(&mut connection)?.is(Resumption::Resumed, &format!("server {port}"))?;
    }
    let oldest = stage.visit_at(HOST, 2)?;
    oldest.is(Resumption::Full, "the server used least recently")
}

fn hot_survives<C: Client>() -> Checked {
    let stage = Stage::<C>::within(Protocol::Tls13, Limits::default().with_servers(8))?;
    for _ in 0..3 {
        stage.visit_at(HOST, PORT)?;
    }
    for cold in 1..=30 {
        stage.visit_at(OTHER_HOST, cold)?;
    }
    stage
        .visit_at(HOST, PORT)?
        .is(Resumption::Resumed, "the hot server after 30 cold ones")
}

fn expired_go_first<C: Client>() -> Checked {
    const MINUTE: Duration = Duration::from_secs(60);
    let limits = Limits::default()
        .with_servers(4)
        .with_lifetimes(10 * MINUTE, 10 * MINUTE);
    let stage = Stage::<C>::within(Protocol::Tls13, limits)?;
    for port in 1..=4 {
        stage.visit_at(HOST, port)?;
    }
    stage.later(9 * MINUTE);
    for port in 2..=4 {
        stage.visit_at(HOST, port)?;
    }
    // The first server becomes the one used last, but takes none of the new tickets.
    drop(stage.open(HOST, 1).map_err(said)?);
    stage.later(2 * MINUTE);
    let before = stage.client.stats();
    stage.visit_at(OTHER_HOST, PORT)?;
    let after = stage.client.stats();
    equal(&after.evicted, &before.evicted, "living sessions evicted")?;
    holds(after.expired > before.expired, "expired sessions make room")
}

fn empty_holds_nothing<C: Client>() -> Checked {
    let one_ticket = |server: &mut ServerSettings| server.tickets = 1;
    let stage = Stage::<C>::with(Protocol::Tls13, one_ticket, |_| {})?;
    stage.visit()?;
    equal(&stage.client.stats().servers, &1, "servers with a session")?;
    // Uses the only ticket up and reads no other.
    let mut connection = stage.open(HOST, PORT).map_err(said)?;
    seen(&mut connection)?.is(Resumption::Resumed, "with the only ticket")?;
    equal(
        &stage.client.stats().servers,
        &0,
        "servers once it is used up",
    )?;
    connection.close()
}

fn sweep_finds_them<C: Client>() -> Checked {
    const MINUTE: Duration = Duration::from_secs(60);
    let limits = Limits::default()
        .with_servers(100)
        .with_lifetimes(5 * MINUTE, 5 * MINUTE);
    let stage = Stage::<C>::within(Protocol::Tls13, limits)?;
    for port in 1..=10 {
        stage.visit_at(HOST, port)?;
    }
    stage.later(6 * MINUTE);
    // Nobody comes back to those servers; connections to another one do the sweeping.
    for _ in 0..4 {
        stage.visit_at(OTHER_HOST, PORT)?;
    }
    equal(&stage.client.stats().servers, &1, "servers after a sweep")
}
