//! Too many tickets, too large ones, and equal ones.

use std::sync::Arc;

use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, Limits, Resumption};

use super::fixture::{Client, Fixture, server, server_with};
use super::on_each_backend;

/// More tickets than a store has of one server.
const FLOOD: usize = 3_200;
/// The size of a ticket that fits into a `ClientHello`, whose extensions have 65,535 bytes in all.
const LARGE: usize = 60_000;
/// The size of a ticket with which a `ClientHello` is larger than a rustls server reads.
const TOO_LARGE_TO_READ: usize = 65_300;

on_each_backend!(
    a_flood_is_bounded,
    a_flood_on_each_connection_is_bounded,
    equal_tickets_resume,
    large_tickets_are_refused,
    allowed_large_tickets_count_with_their_size,
    tickets_too_large_for_a_client_hello_are_refused,
);

/// 3,200 tickets, on as few connections as the library accepts: the newest 64 are stored, the
/// others are counted as evicted.
fn a_flood_is_bounded<B: Client>() {
    let per_connection = FLOOD.min(B::MAX_TICKETS_IN_A_ROW);
    let flood = server(Library::OpenSsl, Protocol::Tls13, |settings| {
        settings.tickets = per_connection;
    });
    let fixture = Fixture::<B>::new();
    // All handshakes come before the first ticket is read, since OpenSSL sends one ticket only in a
    // resumed handshake.
    let open = |_| fixture.open(FaultyTransport::new(&flood, Fault::None));
    let mut connections: Vec<_> = (0..FLOOD / per_connection).map(open).collect();
    let stats = fixture.counted(|| {
        for connection in &mut connections {
            let connection = connection.as_mut().expect("a handshake without a fault");
            assert_eq!(connection.read_tickets().expect("tickets"), per_connection);
        }
    });
    assert_eq!(stats.stored, FLOOD as u64);
    assert_eq!(stats.evicted, FLOOD as u64 - 64);
    fixture.assert_unharmed();
    fixture.visit(&flood).is(Resumption::Resumed);
    assert_eq!(
        fixture.sessions_of_server(),
        64,
        "one was used, one was stored"
    );
}

/// The same on one connection, where a record has parts of several messages, as rustls sends them.
#[test]
fn openssl_accepts_a_flood_on_one_connection() {
    let flood = server(Library::Rustls, Protocol::Tls13, |settings| {
        settings.tickets = FLOOD;
    });
    let fixture = Fixture::<OpenSsl>::new();
    assert_eq!(fixture.visit(&flood).tickets, FLOOD);
    fixture.visit(&flood).is(Resumption::Resumed);
    fixture.assert_unharmed();
    assert_eq!(fixture.sessions_of_server(), 64);
}

/// rustls 0.23 reads at most 64 KiB of handshake messages that span records.
#[test]
fn rustls_fails_on_a_flood_on_one_connection() {
    fails_on_flood::<Rustls>(Library::Rustls, FLOOD, "message buffer full");
}

/// rustls 0.24.0-dev.1 reads at most 32 messages in a row without data.
#[test]
fn rustls_preview_fails_on_a_flood() {
    for library in Library::ALL {
        let too_many = RustlsPreview::MAX_TICKETS_IN_A_ROW + 1;
        fails_on_flood::<RustlsPreview>(library, too_many, "TooManyConsecutiveHandshakeMessages");
    }
}

/// The library fails the connection, whatever the store does, and not the next one.
fn fails_on_flood<B: Client>(library: Library, tickets: usize, expected: &str) {
    let flood = server(library, Protocol::Tls13, |settings| {
        settings.tickets = tickets;
    });
    let fixture = Fixture::<B>::new();
    for _ in 0..3 {
        // Declines the sessions stored before the failure: a resumed handshake brings one ticket.
        flood.rotate_keys();
        let transport = FaultyTransport::new(&flood, Fault::None);
        let mut connection = fixture.open(transport).expect("the handshake succeeds");
        let error = connection.read_tickets().expect_err("too many tickets");
        assert!(error.to_string().contains(expected), "{error}");
        fixture.assert_unharmed();
    }
    assert_eq!(fixture.stats().failed, 0, "no handshake failed");
}

/// A flood on each connection, resumed ones too, with a small store.
fn a_flood_on_each_connection_is_bounded<B: Client>() {
    let tickets = B::MAX_TICKETS_IN_A_ROW.min(200);
    let limits = Limits::default()
        .with_servers(2)
        .with_sessions_per_server(3)
        .with_bytes(20 * 1024, 64 * 1024, 256 * 1024);
    let flood = server(Library::Rustls, Protocol::Tls13, |settings| {
        settings.tickets = tickets;
    });
    let fixture = Fixture::<B>::with_limits(limits);
    fixture.visit(&flood).is(Resumption::Full);
    for _ in 0..5 {
        let stats = fixture.counted(|| fixture.visit(&flood).is(Resumption::Resumed));
        // To rustls 0.23, all tickets of a record can be the first one's bytes.
        let refused = stats.refused_ticket_too_large;
        assert_eq!((stats.taken, stats.stored + refused), (1, tickets as u64));
        assert!(refused <= tickets as u64 / 50, "{stats:?}");
        assert_eq!(
            stats.evicted,
            stats.stored - 1,
            "a used ticket made room for one"
        );
        fixture.assert_unharmed();
    }
    assert_eq!(fixture.sessions_of_server(), 3);
}

/// Tickets that are the same bytes and stand for the newest session, which the client offers.
fn equal_tickets_resume<B: Backend>() {
    for protocol in Protocol::ALL {
        let tickets = FaultyTicketer::new().same_ticket_for_newest();
        let same = server(Library::Rustls, protocol, |settings| {
            settings.tickets = 10;
            settings.rustls.ticketer = Some(Arc::new(tickets));
        });
        let fixture = Fixture::<B>::new();
        fixture.visit(&same).is(Resumption::Full);
        let stats = fixture.counted(|| {
            for _ in 0..10 {
                fixture.visit(&same).is(Resumption::Resumed);
            }
        });
        assert_eq!((stats.resumed, stats.failed), (10, 0));
        fixture.assert_unharmed();
        let most = if protocol == Protocol::Tls13 { 64 } else { 1 };
        assert_eq!(fixture.sessions_of_server(), most, "{protocol}");
    }
}

/// Sessions above the size limit are refused and counted. (rustls 0.23 does not report a session's
/// size; its size is the bytes that arrived with it.)
fn large_tickets_are_refused<B: Backend>() {
    for protocol in Protocol::ALL {
        let large = server_with(protocol, FaultyTicketer::new().with_size(LARGE));
        let fixture = Fixture::<B>::new();
        let stats = fixture.counted(|| {
            for _ in 0..3 {
                let visit = fixture.visit(&large);
                visit.is(Resumption::Full);
                assert_eq!(visit.tickets, 1);
            }
        });
        assert_eq!((stats.refused_too_large, stats.stored), (3, 0));
        assert_eq!(fixture.sessions_of_server(), 0);
        fixture.assert_unharmed();
    }
}

/// Large tickets within the limits count with their size: they evict older ones of their own
/// server, and no others.
fn allowed_large_tickets_count_with_their_size<B: Backend>() {
    const SESSION: usize = 32 * 1024;
    let limits = Limits::default().with_bytes(SESSION, 4 * SESSION, 1024 * 1024);
    let large = server_with(Protocol::Tls13, FaultyTicketer::new().with_size(7_500));
    let fixture = Fixture::<B>::with_limits(limits);
    let visits = 20;
    let mut open = Vec::new();
    // All connections come before the first ticket is read, so that none is used.
    for _ in 0..visits {
        let transport = FaultyTransport::new(&large, Fault::None);
        open.push(
            fixture
                .open(transport)
                .expect("a handshake without a fault"),
        );
    }
    let stats = fixture.counted(|| {
        for connection in &mut open {
            assert_eq!(connection.read_tickets().expect("tickets"), 1);
        }
    });
    assert_eq!(stats.stored, visits);
    assert!(stats.bytes < 6 * SESSION as u64, "{stats:?}");
    assert!(stats.evicted >= visits - 17, "{stats:?}");
    fixture.assert_unharmed();
    fixture.visit(&large).is(Resumption::Resumed);
}

/// R34: a ticket that would make too long a `ClientHello` is stored by nobody, and counted; up to the
/// bound it is resumed. (rustls 0.23 does not report a ticket's size; the bytes that arrive with it are
/// some 100 more.)
fn tickets_too_large_for_a_client_hello_are_refused<B: Backend>() {
    for protocol in Protocol::ALL {
        for size in [8_193, LARGE, TOO_LARGE_TO_READ] {
            let large = server_with(protocol, FaultyTicketer::new().with_size(size));
            let fixture = Fixture::<B>::with_limits(large_limits());
            let stats = fixture.counted(|| {
                for _ in 0..3 {
                    let visit = fixture.visit(&large);
                    visit.is(Resumption::Full);
                    assert_eq!(visit.tickets, 1);
                }
            });
            let refused = stats.refused_ticket_too_large;
            assert_eq!((refused, stats.stored), (3, 0), "{protocol} {size}");
            fixture.assert_unharmed();
        }
        let fits = server_with(protocol, FaultyTicketer::new().with_size(8_000));
        let fixture = Fixture::<B>::new();
        fixture.visit(&fits).is(Resumption::Full);
        fixture.visit(&fits).is(Resumption::Resumed);
        fixture.assert_unharmed();
    }
}

/// Limits that allow a TLS 1.2 session with a ticket of 64 KB, and the spare copy that OpenSSL's
/// store has of it.
fn large_limits() -> Limits {
    Limits::default().with_bytes(192 * 1024, 1024 * 1024, 64 * 1024 * 1024)
}
