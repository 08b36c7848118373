//! Lifetimes of nothing, of a second and of 136 years (R11).
//!
//! The servers here never find a ticket too old: what is not offered is the client's decision.

use std::time::Duration;

use lab::faults::FaultyTicketer;
use lab::server::{Protocol, Server};
use tls_resume::rustls::Rustls;
use tls_resume::{Backend, Resumption};

use crate::stage::{Client, Stage, server_with};
use crate::{on_each, on_each_that_shows_sessions};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_each!(
    endless_lifetimes_are_capped,
    tls12_without_a_lifetime_lives_a_day
);

on_each_that_shows_sessions!(
    what_the_server_said_is_shown,
    what_lives_for_nothing_is_not_stored,
    what_lives_for_a_second_is_dropped_after_it,
);

fn living(protocol: Protocol, seconds: u32) -> Server {
    server_with(protocol, FaultyTicketer::new().with_lifetime(seconds))
}

/// 2^32 - 1 seconds: 7 days in TLS 1.3, 24 hours in TLS 1.2.
fn endless_lifetimes_are_capped<B: Backend>() {
    for (protocol, longest) in [(Protocol::Tls12, DAY), (Protocol::Tls13, 7 * DAY)] {
        lives_for::<B>(&living(protocol, u32::MAX), longest);
    }
}

/// Zero means "unspecified" in TLS 1.2: 24 hours.
fn tls12_without_a_lifetime_lives_a_day<B: Backend>() {
    lives_for::<B>(&living(Protocol::Tls12, 0), DAY);
}

fn lives_for<B: Backend>(server: &Server, longest: Duration) {
    // The last second: resumed, with nothing expired.
    let stage = Stage::<B>::new();
    stage.visit(server).is(Resumption::Full);
    stage.later(longest.saturating_sub(SECOND));
    stage.visit(server).is(Resumption::Resumed);

    // The moment after: not even offered, and counted.
    let stage = Stage::<B>::new();
    stage.visit(server).is(Resumption::Full);
    stage.later(longest);
    let stats = stage.counted(|| stage.visit(server).is(Resumption::Full));
    assert!(stats.expired >= 1, "{stats:?}");
    assert_eq!((stats.offered, stats.missed), (0, 1), "{stats:?}");
}

/// What the server said is what arrived, else the two tests above would prove nothing.
fn what_the_server_said_is_shown<B: Client>() {
    for protocol in Protocol::ALL {
        for seconds in [0, 1, u32::MAX] {
            let visit = Stage::<B>::new().visit(&living(protocol, seconds));
            let said = Duration::from_secs(u64::from(seconds));
            let shown = said.min(B::LONGEST_LIFETIME);
            assert_eq!(visit.lifetime, Some(shown), "{protocol}");
        }
    }
}

/// Zero means "discard" in TLS 1.3: refused, and counted.
fn what_lives_for_nothing_is_not_stored<B: Backend>() {
    let server = living(Protocol::Tls13, 0);
    let stage = Stage::<B>::new();
    let stats = stage.counted(|| {
        for _ in 0..3 {
            let visit = stage.visit(&server);
            visit.is(Resumption::Full);
            assert_eq!(visit.tickets, 1);
        }
    });
    assert_eq!((stats.refused_expired, stats.stored), (3, 0));
    assert_eq!(stage.held(), 0);
    stage.is_unharmed();
}

/// rustls 0.23 does not show a lifetime and takes zero for "no end": the ticket is stored and
/// resumed. Nothing fails, and the own limits bound it.
#[test]
fn rustls_stores_and_resumes_what_lives_for_nothing() {
    let server = living(Protocol::Tls13, 0);
    let stage = Stage::<Rustls>::new();
    let stats = stage.counted(|| {
        stage.visit(&server).is(Resumption::Full);
        stage.visit(&server).is(Resumption::Resumed);
    });
    assert_eq!((stats.refused_expired, stats.stored), (0, 2));
    stage.later(7 * DAY);
    stage.visit(&server).is(Resumption::Full);
}

/// A second is over after a second.
fn what_lives_for_a_second_is_dropped_after_it<B: Backend>() {
    for protocol in Protocol::ALL {
        let server = living(protocol, 1);
        let stage = Stage::<B>::new();
        let stats = stage.counted(|| stage.visit(&server).is(Resumption::Full));
        assert_eq!(stats.stored, 1, "{protocol}");
        stage.later(SECOND);
        let stats = stage.counted(|| stage.visit(&server).is(Resumption::Full));
        assert_eq!((stats.offered, stats.expired), (0, 1), "{protocol}");
        stage.is_unharmed();
    }
}

/// rustls 0.23 keeps the second to itself, and to the system's clock: the store hands the session
/// out, and rustls resumes it or, once a second is over, makes a full handshake.
#[test]
fn rustls_alone_knows_what_lives_for_a_second() {
    for protocol in Protocol::ALL {
        let server = living(protocol, 1);
        let stage = Stage::<Rustls>::new();
        stage.visit(&server).is(Resumption::Full);
        stage.later(SECOND);
        let stats = stage.counted(|| {
            let again = stage.visit(&server).resumption;
            assert_ne!(again, Resumption::Full, "it was handed out");
        });
        assert_eq!((stats.offered, stats.expired), (1, 0), "{protocol}");
        assert_eq!(stats.resumed + stats.declined, 1, "{protocol}");
        stage.is_unharmed();
    }
}
