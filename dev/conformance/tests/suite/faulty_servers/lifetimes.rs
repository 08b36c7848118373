//! Lifetimes of zero, of a second and of 136 years (R11).
//!
//! The servers here do not check the age of tickets: expiry is up to the client.

use std::time::Duration;

use lab::faults::FaultyTicketer;
use lab::server::{Protocol, Server};
use tls_resume::rustls::Rustls;
use tls_resume::{Backend, Resumption};

use super::fixture::{Client, Fixture, server_with};
use super::{on_each_backend, on_each_backend_with_lifetimes};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_each_backend!(
    endless_lifetimes_are_capped,
    tls12_without_lifetime_expires_after_a_day
);

on_each_backend_with_lifetimes!(
    the_announced_lifetime_is_reported,
    a_lifetime_of_zero_is_refused,
    a_lifetime_of_a_second_expires_after_it,
);

fn server_with_lifetime(protocol: Protocol, seconds: u32) -> Server {
    server_with(protocol, FaultyTicketer::new().with_lifetime(seconds))
}

/// 2^32 - 1 seconds: 7 days in TLS 1.3, 24 hours in TLS 1.2.
fn endless_lifetimes_are_capped<B: Backend>() {
    for (protocol, longest) in [(Protocol::Tls12, DAY), (Protocol::Tls13, 7 * DAY)] {
        expires_after::<B>(&server_with_lifetime(protocol, u32::MAX), longest);
    }
}

/// Zero means "unspecified" in TLS 1.2: 24 hours.
fn tls12_without_lifetime_expires_after_a_day<B: Backend>() {
    expires_after::<B>(&server_with_lifetime(Protocol::Tls12, 0), DAY);
}

fn expires_after<B: Backend>(server: &Server, longest: Duration) {
    // In the last second it is resumed.
    let fixture = Fixture::<B>::new();
    fixture.visit(server).is(Resumption::Full);
    fixture.advance(longest.saturating_sub(SECOND));
    fixture.visit(server).is(Resumption::Resumed);

    // Afterwards it is not offered, and counted as expired.
    let fixture = Fixture::<B>::new();
    fixture.visit(server).is(Resumption::Full);
    fixture.advance(longest);
    let stats = fixture.counted(|| fixture.visit(server).is(Resumption::Full));
    assert!(stats.expired >= 1, "{stats:?}");
    assert_eq!((stats.offered, stats.missed), (0, 1), "{stats:?}");
}

/// The lifetimes do arrive: without this, the two tests above would prove nothing.
fn the_announced_lifetime_is_reported<B: Client>() {
    for protocol in Protocol::ALL {
        for seconds in [0, 1, u32::MAX] {
            let visit = Fixture::<B>::new().visit(&server_with_lifetime(protocol, seconds));
            let announced = Duration::from_secs(u64::from(seconds));
            let reported = announced.min(B::LONGEST_LIFETIME);
            assert_eq!(visit.lifetime, Some(reported), "{protocol}");
        }
    }
}

/// Zero means "discard" in TLS 1.3.
fn a_lifetime_of_zero_is_refused<B: Backend>() {
    let server = server_with_lifetime(Protocol::Tls13, 0);
    let fixture = Fixture::<B>::new();
    let stats = fixture.counted(|| {
        for _ in 0..3 {
            let visit = fixture.visit(&server);
            visit.is(Resumption::Full);
            assert_eq!(visit.tickets, 1);
        }
    });
    assert_eq!((stats.refused_expired, stats.stored), (3, 0));
    assert_eq!(fixture.sessions_of_server(), 0);
    fixture.assert_unharmed();
}

/// rustls 0.23 does not report a lifetime and takes zero for unlimited: the ticket is stored and
/// resumed, within the store's own limits.
#[test]
fn rustls_stores_and_resumes_a_lifetime_of_zero() {
    let server = server_with_lifetime(Protocol::Tls13, 0);
    let fixture = Fixture::<Rustls>::new();
    let stats = fixture.counted(|| {
        fixture.visit(&server).is(Resumption::Full);
        fixture.visit(&server).is(Resumption::Resumed);
    });
    assert_eq!((stats.refused_expired, stats.stored), (0, 2));
    fixture.advance(7 * DAY);
    fixture.visit(&server).is(Resumption::Full);
}

fn a_lifetime_of_a_second_expires_after_it<B: Backend>() {
    for protocol in Protocol::ALL {
        let server = server_with_lifetime(protocol, 1);
        let fixture = Fixture::<B>::new();
        let stats = fixture.counted(|| fixture.visit(&server).is(Resumption::Full));
        assert_eq!(stats.stored, 1, "{protocol}");
        fixture.advance(SECOND);
        let stats = fixture.counted(|| fixture.visit(&server).is(Resumption::Full));
        assert_eq!((stats.offered, stats.expired), (0, 1), "{protocol}");
        fixture.assert_unharmed();
    }
}

/// rustls 0.23 does not report the lifetime and checks it by the system clock: the store returns
/// the session, and rustls resumes it or, after a second, makes a full handshake.
#[test]
fn rustls_itself_checks_a_lifetime_of_a_second() {
    for protocol in Protocol::ALL {
        let server = server_with_lifetime(protocol, 1);
        let fixture = Fixture::<Rustls>::new();
        fixture.visit(&server).is(Resumption::Full);
        fixture.advance(SECOND);
        let stats = fixture.counted(|| {
            let again = fixture.visit(&server).resumption;
            assert_ne!(again, Resumption::Full, "it was offered");
        });
        assert_eq!((stats.offered, stats.expired), (1, 0), "{protocol}");
        assert_eq!(stats.resumed + stats.declined, 1, "{protocol}");
        fixture.assert_unharmed();
    }
}
