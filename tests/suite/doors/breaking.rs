//! R28, R30: servers and middleboxes that break resumptions.

use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::faults::{Fault, FaultyProxy, FaultyTicketer};
use lab::server::{Library, Protocol, RustlsOnly, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::{ErrorKind, Resumption};

use super::client::{Door, hold};
use crate::blocking::clients::builder;
use crate::servers::{HOST, each, each_version_at_once, listen, settings};

const FAULTS: [Fault; 4] = [
    Fault::CloseAfterClientHello,
    Fault::CloseAfterServerHello,
    Fault::OtherCipher(0x1303),
    Fault::Corrupt,
];

/// How many tickets a server sends. The preview of rustls accepts 32 at once.
const TICKETS: usize = 29;

/// A server that sends many tickets, and a proxy before it.
fn servers(library: Library, version: Protocol) -> (TcpServer, FaultyProxy) {
    let server = listen(Server::new(
        library,
        &ServerSettings {
            tickets: TICKETS,
            ..settings(version)
        },
    ));
    let proxy = FaultyProxy::start(server.address()).expect("a port");
    (server, proxy)
}

/// Makes the client hold 58 tickets, or a TLS 1.2 session.
fn hold_sessions<D: Door>(door: &D, port: u16, version: Protocol) {
    hold(door.connector(), port, 2);
    let held = door.connector().stats().sessions;
    assert_eq!(
        held,
        [1, 2 * TICKETS as u64][usize::from(version == Protocol::Tls13)]
    );
}

/// The connections of `count` that fail. Never two in a row.
fn failures<D: Door>(door: &D, port: u16, count: usize) -> usize {
    let (mut failures, mut before) = (0, false);
    for _ in 0..count {
        let fails = match door.visit(port) {
            Ok(_) => false,
            Err(error) => {
                assert!(error.offered_session(), "{error}");
                assert!(!before, "a second failure in a row: {error}");
                true
            }
        };
        failures += usize::from(fails);
        before = fails;
    }
    failures
}

pub(crate) fn a_resumption_that_breaks_causes_no_error<D: Door>() {
    for version in Protocol::ALL {
        let (_server, proxy) = servers(Library::OpenSsl, version);
        for fault in FAULTS {
            let door = D::new(builder().build().expect("valid settings"));
            proxy.set_fault(Fault::None);
            hold_sessions(&door, proxy.port(), version);
            proxy.set_fault_on_resumption(fault);
            for _ in 0..20 {
                let resumption = door.visit(proxy.port()).expect("no error");
                assert_eq!(resumption, Resumption::Full);
            }
            let stats = door.connector().stats();
            assert!((1..=2).contains(&stats.retried), "{fault:?}: {stats:?}");
            assert_eq!(stats.retried, stats.failed, "{fault:?}: {stats:?}");
        }
    }
}

pub(crate) fn a_resumption_that_breaks_fails_never_twice_in_a_row_without_the_retry<D: Door>() {
    each(|library, version| {
        let (_server, proxy) = servers(library, version);
        for fault in FAULTS {
            let client = builder().retry_failed_resumption(false).build();
            let door = D::new(client.expect("valid settings"));
            proxy.set_fault(Fault::None);
            hold_sessions(&door, proxy.port(), version);
            proxy.set_fault_on_resumption(fault);
            let failures = failures(&door, proxy.port(), 20);
            assert!((1..=2).contains(&failures), "{library} {version} {fault:?}");
        }
    });
}

/// The server rejects the resumption when the client's handshake is done: an error of the first
/// read, which no retry can hide.
pub(crate) fn a_resumption_that_is_rejected_late_fails_never_twice_in_a_row<D: Door>() {
    each(|library, version| {
        let (_server, proxy) = servers(library, version);
        let door = D::new(builder().build().expect("valid settings"));
        hold_sessions(&door, proxy.port(), version);
        proxy.set_fault_on_resumption(Fault::LateAlert);
        let (mut failures, mut before) = (0, false);
        for _ in 0..20 {
            let talked = door.try_visit(proxy.port()).expect("a handshake");
            let fails = talked.is_err();
            assert!(!(fails && before), "{library} {version}: {talked:?}");
            failures += u32::from(fails);
            before = fails;
        }
        assert!(
            (1..=2).contains(&failures),
            "{library} {version}: {failures}"
        );
    });
}

/// A server that closes every connection fails twice, and that is the caller's error.
pub(crate) fn a_server_that_always_fails_is_an_error_after_the_retry<D: Door>() {
    for version in Protocol::ALL {
        let (_server, proxy) = servers(Library::OpenSsl, version);
        let door = D::new(builder().build().expect("valid settings"));
        door.visit(proxy.port()).expect("a healthy server");
        let connections = proxy.connections();
        proxy.set_fault(Fault::CloseAfterClientHello);
        let error = door.visit(proxy.port()).expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert!(error.retried() && !error.offered_session(), "{error}");
        assert_eq!(proxy.connections(), connections + 2, "{version}");
        // Nothing is offered, and so there is nothing to make again.
        let error = door.visit(proxy.port()).expect_err("closed");
        assert!(!error.retried() && !error.offered_session(), "{error}");
        assert_eq!(door.connector().stats().retried, 1, "{version}");
    }
}

/// The port has another server, whose certificate is not trusted.
pub(crate) fn a_certificate_error_is_not_retried<D: Door>() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    for version in Protocol::ALL {
        let (_server, proxy) = servers(Library::OpenSsl, version);
        let settings = ServerSettings {
            identity: stranger.clone(),
            ..settings(version)
        };
        let other = listen(Server::new(Library::OpenSsl, &settings));
        let door = D::new(builder().build().expect("valid settings"));
        door.visit(proxy.port()).expect("a trusted server");
        proxy.set_server(other.address());
        let error = door.visit(proxy.port()).expect_err("a stranger");
        assert_eq!(error.kind(), ErrorKind::Certificate, "{error}");
        assert!(error.offered_session() && !error.retried(), "{error}");
        let stats = door.connector().stats();
        assert_eq!((proxy.connections(), stats.retried), (2, 0), "{version}");
    }
}

/// With the retry, too: it has no time left.
pub(crate) fn silence_costs_two_deadlines_at_most<D: Door>() {
    each_version_at_once(|version| {
        let (_server, proxy) = servers(Library::OpenSsl, version);
        let client = builder().timeout(Duration::from_millis(800)).build();
        let door = D::new(client.expect("valid settings"));
        hold_sessions(&door, proxy.port(), version);
        proxy.set_fault_on_resumption(Fault::Silence);
        let failures = failures(&door, proxy.port(), 20);
        assert!((1..=2).contains(&failures), "{version}: {failures}");
        proxy.set_fault(Fault::Silence);
        let error = door.visit(proxy.port()).expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    });
}

/// A server whose tickets have 4 KiB, behind a proxy that closes unless a `ClientHello` fits into
/// 2,048 bytes.
fn middlebox(version: Protocol) -> (TcpServer, FaultyProxy) {
    let ticketer = FaultyTicketer::new().with_size(4096);
    let server = listen(Server::new(
        Library::Rustls,
        &ServerSettings {
            rustls: RustlsOnly {
                ticketer: Some(std::sync::Arc::new(ticketer)),
                ..RustlsOnly::default()
            },
            ..settings(version)
        },
    ));
    let proxy = FaultyProxy::start(server.address()).expect("a port");
    proxy.set_fault(Fault::CloseLongHello(2_048));
    (server, proxy)
}

pub(crate) fn a_middlebox_that_reads_2048_bytes_causes_no_error<D: Door>() {
    for version in Protocol::ALL {
        for retries in [true, false] {
            let (_server, proxy) = middlebox(version);
            let client = builder().retry_failed_resumption(retries).build();
            let door = D::new(client.expect("valid settings"));
            let failures = failures(&door, proxy.port(), 20);
            let stats = door.connector().stats();
            assert!((1..=2).contains(&stats.failed), "{version}: {stats:?}");
            let expected = if retries { 0 } else { stats.failed };
            assert_eq!(failures as u64, expected, "{version}: {stats:?}");
        }
    }
}
