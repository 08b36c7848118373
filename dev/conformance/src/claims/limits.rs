//! Limits, eviction and the sweep: R16 to R19, and R34.

use std::time::Duration;

use lab::faults::{Fault, FaultyTicketer};
use lab::server::{Protocol, ServerSettings};
use tls_resume::{Limits, Resumption};

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection};
use crate::door::Door;
use crate::fixture::{Fixture, HOST, OTHER_HOST, PORT, observe};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let mut claims = vec![
        Claim::new(
            "R16",
            "a flood of tickets stays within its server's limits",
            floods_are_bounded::<C>,
        ),
        Claim::new(
            "R16",
            "the number of servers is bounded",
            servers_are_bounded::<C>,
        ),
        Claim::new(
            "R16",
            "the number of bytes is bounded",
            bytes_are_bounded::<C>,
        ),
        Claim::new(
            "R16",
            "sessions that are too large are refused and counted",
            large_sessions_are_refused::<C>,
        ),
        Claim::new(
            "R17",
            "the server that was not used again is evicted first",
            least_recent_is_evicted::<C>,
        ),
        Claim::new(
            "R17",
            "a hot server survives a scan of cold ones",
            hot_server_survives::<C>,
        ),
        Claim::new(
            "R17",
            "expired sessions are evicted before valid ones",
            expired_are_evicted_first::<C>,
        ),
        Claim::new(
            "R18",
            "a server without sessions is not counted",
            empty_servers_are_not_counted::<C>,
        ),
        Claim::new(
            "R19",
            "expired sessions are swept without a new connection",
            expired_are_swept::<C>,
        ),
    ];
    let of_tickets = Claim::through_each::<C>(
        "R34",
        [
            "a ticket too large for a ClientHello is refused and counted",
            "a ticket too large for a ClientHello is refused and counted, in tasks",
            "a ticket too large for a ClientHello is refused and counted, over futures-io",
            "a ticket too large for a ClientHello is refused and counted, with a ClientConfig",
        ],
        large_tickets_are_refused::<C>,
    );
    let hidden = "rustls does not tell the store of a `ClientConfig` how large a ticket is";
    claims.extend(of_tickets.map(|claim| claim.not_through(Door::ClientConfig, hidden)));
    claims
}

fn floods_are_bounded<C: Client>() -> CheckResult {
    // rustls 0.24.0-dev.1 fails a connection after 32 messages in a row without data.
    let flood = |server: &mut ServerSettings| server.tickets = 32;
    let limits = Limits::default().with_sessions_per_server(8);
    let fixture = Fixture::<C>::with(Protocol::Tls13, flood, |setup| setup.limits = limits)?;
    fixture.visit_at(OTHER_HOST, PORT)?;
    for _ in 0..3 {
        fixture.visit_at(HOST, PORT)?;
    }
    equal(
        &fixture.sessions(),
        &16,
        "sessions of two servers, 8 for each",
    )?;
    let other = fixture.visit_at(OTHER_HOST, PORT)?;
    other.is(Resumption::Resumed, "the other server")
}

fn servers_are_bounded<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, Limits::default().with_servers(3))?;
    for port in 1..=10 {
        fixture.visit_at(HOST, port)?;
    }
    let stats = fixture.client.stats();
    equal(&stats.servers, &3, "servers kept of 10")?;
    holds(stats.evicted > 0, "evictions are counted")?;
    fixture
        .visit_at(HOST, 10)?
        .is(Resumption::Resumed, "the newest server")
}

fn bytes_are_bounded<C: Client>() -> CheckResult {
    const TOTAL: usize = 100 * 1024;
    let limits = Limits::default().with_bytes(64 * 1024, 64 * 1024, TOTAL);
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, limits)?;
    // Connects until the store is full, whatever the size of sessions.
    let mut servers = 0;
    while fixture.client.stats().evicted == 0 && servers < 2_000 {
        servers += 1;
        fixture.visit_at(HOST, servers)?;
    }
    for _ in 0..20 {
        servers += 1;
        fixture.visit_at(HOST, servers)?;
    }
    let stats = fixture.client.stats();
    holds(
        stats.bytes <= TOTAL as u64,
        "the store stays within its bytes",
    )?;
    holds(
        stats.servers > 1 && stats.servers < u64::from(servers),
        "some servers are kept, not all",
    )
}

fn large_sessions_are_refused<C: Client>() -> CheckResult {
    let limits = Limits::default().with_bytes(200, 1024 * 1024, 1024 * 1024);
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, limits)?;
    for _ in 0..2 {
        fixture
            .visit()?
            .is(Resumption::Full, "with a limit of 200 bytes a session")?;
    }
    equal(
        &fixture.client.stats().refused_too_large,
        &4,
        "sessions refused of 2 visits",
    )
}

fn least_recent_is_evicted<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, Limits::default().with_servers(3))?;
    for port in [1, 2, 3, 1, 4] {
        fixture.visit_at(HOST, port)?;
    }
    for port in [3, 1, 4] {
        let mut connection = fixture.open(HOST, port).map_err(message)?;
        observe(&mut connection)?.is(Resumption::Resumed, &format!("server {port}"))?;
    }
    let evicted = fixture.visit_at(HOST, 2)?;
    evicted.is(Resumption::Full, "the server that was not used again")
}

fn hot_server_survives<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, Limits::default().with_servers(8))?;
    for _ in 0..3 {
        fixture.visit_at(HOST, PORT)?;
    }
    for cold in 1..=30 {
        fixture.visit_at(OTHER_HOST, cold)?;
    }
    fixture
        .visit_at(HOST, PORT)?
        .is(Resumption::Resumed, "the hot server after 30 cold ones")
}

fn expired_are_evicted_first<C: Client>() -> CheckResult {
    const MINUTE: Duration = Duration::from_secs(60);
    let limits = Limits::default()
        .with_servers(4)
        .with_lifetimes(10 * MINUTE, 10 * MINUTE);
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, limits)?;
    for port in 1..=4 {
        fixture.visit_at(HOST, port)?;
    }
    fixture.advance(9 * MINUTE);
    for port in 2..=4 {
        fixture.visit_at(HOST, port)?;
    }
    // The first server becomes the most recently used one, and gets no new tickets.
    drop(fixture.open(HOST, 1).map_err(message)?);
    fixture.advance(2 * MINUTE);
    let before = fixture.client.stats();
    fixture.visit_at(OTHER_HOST, PORT)?;
    let after = fixture.client.stats();
    equal(&after.evicted, &before.evicted, "valid sessions evicted")?;
    holds(after.expired > before.expired, "expired sessions make room")
}

fn empty_servers_are_not_counted<C: Client>() -> CheckResult {
    let one_ticket = |server: &mut ServerSettings| server.tickets = 1;
    let fixture = Fixture::<C>::with(Protocol::Tls13, one_ticket, |_| {})?;
    fixture.visit()?;
    equal(
        &fixture.client.stats().servers,
        &1,
        "servers with a session",
    )?;
    // Uses the only ticket, and reads no new one.
    let mut connection = fixture.open(HOST, PORT).map_err(message)?;
    observe(&mut connection)?.is(Resumption::Resumed, "with the only ticket")?;
    equal(
        &fixture.client.stats().servers,
        &0,
        "servers once the ticket is used",
    )?;
    connection.close()
}

fn expired_are_swept<C: Client>() -> CheckResult {
    const MINUTE: Duration = Duration::from_secs(60);
    let limits = Limits::default()
        .with_servers(100)
        .with_lifetimes(5 * MINUTE, 5 * MINUTE);
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, limits)?;
    for port in 1..=10 {
        fixture.visit_at(HOST, port)?;
    }
    fixture.advance(6 * MINUTE);
    // Connections to another server sweep.
    for _ in 0..16 {
        fixture.visit_at(OTHER_HOST, PORT)?;
    }
    equal(&fixture.client.stats().servers, &1, "servers after a sweep")
}

fn large_tickets_are_refused<C: Client>(door: Door) -> CheckResult {
    const CONNECTIONS: u64 = 3;
    for protocol in Protocol::ALL {
        let tickets = FaultyTicketer::new().with_size(9_000);
        let fixture = Fixture::<C>::with_tickets(protocol, tickets)?;
        for _ in 0..CONNECTIONS {
            let visit = fixture.visit_through(door, Fault::None);
            equal(&visit, &Ok(false), "with a ticket of 9,000 bytes")?;
        }
        let stats = fixture.client.stats();
        let counted = (stats.refused_ticket_too_large, stats.stored);
        equal(&counted, &(CONNECTIONS, 0), "refused and stored")?;
        let tickets = FaultyTicketer::new().with_size(8_000);
        let fixture = Fixture::<C>::with_tickets(protocol, tickets)?;
        for resumed in [false, true] {
            let visit = fixture.visit_through(door, Fault::None);
            equal(&visit, &Ok(resumed), "with a ticket of 8,000 bytes")?;
        }
    }
    Ok(())
}
