//! R29, R30: a server that fails whenever a session is offered.

use std::sync::Arc;
use std::time::Duration;

use lab::server::Protocol;
use tls_resume::generic::ConnectorBuilder;
use tls_resume::{Alert, Backend, Clock, ErrorKind, ManualClock, Resumption, SystemClock};

use super::client::{Door, Visit, hold};
use crate::blocking::clients;
use crate::servers::{authority, server_without_context, server_without_context_with};

const MINUTE: Duration = Duration::from_secs(60);

/// A client with or without a certificate.
fn builder<B: Backend>(has_certificate: bool) -> ConnectorBuilder<B> {
    let builder = clients::builder();
    if !has_certificate {
        return builder;
    }
    let identity = authority().issue_client("client.lab.example");
    builder.client_certificate(identity.chain, identity.key)
}

/// With each version, with and without a client certificate.
fn each(mut test: impl FnMut(Protocol, bool)) {
    for version in Protocol::ALL {
        for has_certificate in [false, true] {
            test(version, has_certificate);
        }
    }
}

pub(crate) fn a_server_without_session_id_context_causes_no_error<D: Door>() {
    each(|version, has_certificate| {
        let server = server_without_context(version);
        let client = builder(has_certificate).build().expect("valid settings");
        let door = D::new(client);
        for number in 0..20 {
            let visit = door.try_visit(server.port()).expect("no error");
            let visit = visit.expect("an exchange of data");
            let expected = Visit {
                resumption: Resumption::Full,
                retried: number == 1,
            };
            assert_eq!(visit, expected, "{version}: {number}");
        }
        let stats = door.connector().stats();
        let counted = (stats.failed, stats.retried, stats.avoided);
        assert_eq!(counted, (1, 1, 18), "{version}: {stats:?}");
        let seen = server.handshakes();
        let sent = seen.iter().filter(|seen| seen.client_certificate).count();
        assert_eq!(
            (seen.len(), sent),
            (20, if has_certificate { 20 } else { 0 })
        );
        // One connection was made twice.
        assert_eq!(server.connections(), 21);
    });
}

pub(crate) fn a_server_without_session_id_context_causes_one_error_without_the_retry<D: Door>() {
    each(|version, has_certificate| {
        let server = server_without_context(version);
        let builder = builder(has_certificate).retry_failed_resumption(false);
        let door = D::new(builder.build().expect("valid settings"));
        let visits = (0..20).map(|_| door.visit(server.port()));
        let errors: Vec<_> = visits.filter_map(Result::err).collect();
        let [error] = errors.as_slice() else {
            panic!("{version}: {errors:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
        assert_eq!(error.alert(), Some(Alert::Received(80)), "{error}"); // internal_error
        assert!(error.offered_session() && !error.retried(), "{error}");
        let stats = door.connector().stats();
        assert_eq!((stats.failed, stats.retried), (1, 0), "{stats:?}");
    });
}

/// R9: 24 tickets are held, and the first one that is offered is answered by a fatal alert.
pub(crate) fn a_fatal_alert_takes_the_older_sessions<D: Door>() {
    let server = server_without_context_with(Protocol::Tls13, 24);
    let client = builder(false).retry_failed_resumption(false).build();
    let door = D::new(client.expect("valid settings"));
    hold(door.connector(), server.port(), 1);
    assert_eq!(door.connector().stats().sessions, 24);
    let error = door.visit(server.port()).expect_err("a fatal alert");
    assert_eq!(error.alert(), Some(Alert::Received(80)), "{error}"); // internal_error
    assert_eq!(door.connector().stats().sessions, 0);
    for _ in 0..24 {
        let resumption = door.visit(server.port()).expect("a full handshake");
        assert_eq!(resumption, Resumption::Full);
    }
    assert_eq!(door.connector().stats().failed, 1);
}

/// For 10 minutes, then for 20, and so on, up to a day; each time one offer shows that the server
/// is as before.
pub(crate) fn a_server_is_avoided_twice_as_long_each_time<D: Door>() {
    /// In minutes.
    const DAY: u32 = 24 * 60;
    for version in Protocol::ALL {
        let server = server_without_context(version);
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let builder = builder(false).clock(Arc::<ManualClock>::clone(&clock));
        let door = D::new(builder.build().expect("valid settings"));
        let visit = || {
            door.visit(server.port()).expect("no error");
            door.connector().stats().retried
        };
        visit();
        assert_eq!(visit(), 1);
        let mut avoided = 10;
        for times in 2..=10 {
            clock.advance((avoided - 1) * MINUTE);
            // A session is stored, since those before may have expired.
            for _ in 0..3 {
                assert_eq!(visit(), times - 1, "{version}: {avoided}");
            }
            clock.advance(2 * MINUTE);
            for _ in 0..3 {
                assert_eq!(visit(), times, "{version}: {avoided}");
            }
            avoided = (2 * avoided).min(DAY);
        }
        assert_eq!(avoided, DAY);
    }
}
