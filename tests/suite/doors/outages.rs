//! R31: a server that is down for a while keeps its sessions.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lab::faults::{Fault, FaultyProxy};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::{Clock, ErrorKind, ManualClock, Resumption, SystemClock};

use super::client::{Door, hold};
use crate::blocking::clients::builder;
use crate::servers::{each, each_version_at_once, listen, settings};

const SECOND: Duration = Duration::from_secs(1);

fn server(library: Library, version: Protocol, tickets: usize) -> TcpServer {
    let settings = ServerSettings {
        tickets,
        ..settings(version)
    };
    listen(Server::new(library, &settings))
}

/// Visits a server that is back, and asserts that all connections resume, but for the first one,
/// which shows that it is back.
fn assert_resumes<D: Door>(door: &D, port: u16) {
    door.visit(port).expect("the server is back");
    let avoided = door.connector().stats().avoided;
    for _ in 0..5 {
        let resumption = door.visit(port).expect("the server is back");
        assert_eq!(resumption, Resumption::Resumed);
    }
    assert_eq!(door.connector().stats().avoided, avoided);
}

/// For 5 seconds, connections are refused.
pub(crate) fn a_server_that_was_down_is_resumed_afterwards<D: Door>() {
    each(|library, version| {
        let server = server(library, version, 8);
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let port = proxy.port();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let client = builder().clock(Arc::<ManualClock>::clone(&clock)).build();
        let door = D::new(client.expect("valid settings"));
        door.visit(port).expect("a connection");
        let held = door.connector().stats().sessions;
        drop(proxy);
        for _ in 0..5 {
            let error = door.visit(port).expect_err("nobody listens");
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
            clock.advance(SECOND);
        }
        assert_eq!(door.connector().stats().sessions, held);
        let _proxy = FaultyProxy::start_on(port, server.address()).expect("its port");
        assert_resumes(&door, port);
    });
}

/// For 6 seconds, there is no answer.
pub(crate) fn a_server_that_was_silent_is_resumed_afterwards<D: Door>() {
    each_version_at_once(|version| {
        let server = server(Library::OpenSsl, version, 8);
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let client = builder()
            .clock(Arc::<ManualClock>::clone(&clock))
            .timeout(Duration::from_millis(800))
            .build();
        let door = D::new(client.expect("valid settings"));
        // A TLS 1.2 session that was offered is lost; the next full handshake brings another.
        door.visit(proxy.port()).expect("a connection");
        let held = door.connector().stats().sessions;
        proxy.set_fault(Fault::Silence);
        for _ in 0..3 {
            let error = door.visit(proxy.port()).expect_err("silence");
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            clock.advance(2 * SECOND);
        }
        assert_eq!(door.connector().stats().sessions, held - 1);
        proxy.set_fault(Fault::None);
        assert_resumes(&door, proxy.port());
    });
}

/// 64 tickets are held, one handshake is closed before any byte, and then 64 begin at once.
pub(crate) fn a_burst_after_one_closed_handshake_is_resumed<D: Door>() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13, 32);
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let port = proxy.port();
        let client = builder().retry_failed_resumption(false).build();
        let door = D::new(client.expect("valid settings"));
        hold(door.connector(), port, 2);
        assert_eq!(door.connector().stats().sessions, 64);
        proxy.set_fault(Fault::CloseAfterClientHello);
        let error = door.visit(port).expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        proxy.set_fault(Fault::None);
        let resumed = thread::scope(|scope| {
            let visits: Vec<_> = (0..64).map(|_| scope.spawn(|| door.visit(port))).collect();
            let visits = visits
                .into_iter()
                .map(|visit| visit.join().expect("no panic"));
            let resumed = visits.map(|visit| visit.expect("a connection"));
            resumed.filter(|it| *it == Resumption::Resumed).count()
        });
        assert!(resumed >= 62, "{library}: {resumed}");
    }
}
