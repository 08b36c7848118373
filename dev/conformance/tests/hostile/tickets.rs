//! Too many tickets, too large ones, and ones that are all the same.

use std::sync::Arc;

use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, Limits, Resumption};

use crate::on_each;
use crate::stage::{Client, Stage, server, server_with};

/// More than any store keeps of one server.
const FLOOD: usize = 3_200;
/// A ticket that still fits into a `ClientHello`, whose extensions have 65,535 bytes in all.
const LARGE: usize = 60_000;
/// A ticket with which a `ClientHello` is larger than a rustls server reads.
const TOO_LARGE_TO_READ: usize = 65_300;
/// A ticket that does not fit into a `ClientHello`, in TLS 1.2 nor 1.3.
const TOO_LARGE_TO_SEND: usize = 65_500;

on_each!(
    a_flood_is_bounded,
    a_flood_again_and_again_is_bounded,
    equal_tickets_resume,
    refuses_large_tickets,
    counts_large_tickets_with_their_size,
);

/// 3,200 tickets, on as few connections as the library bears: the newest 64 stay, the others are
/// counted.
fn a_flood_is_bounded<B: Client>() {
    let on_each = FLOOD.min(B::IN_A_ROW);
    let flood = server(Library::OpenSsl, Protocol::Tls13, |settings| {
        settings.tickets = on_each;
    });
    let stage = Stage::<B>::new();
    // All handshakes before the first ticket is read: OpenSSL sends one only when it resumes.
    let open = |_| stage.open(FaultyTransport::new(&flood, Fault::None));
    let mut connections: Vec<_> = (0..FLOOD / on_each).map(open).collect();
    let stats = stage.counted(|| {
        for connection in &mut connections {
            let connection = connection.as_mut().expect("an honest handshake");
            assert_eq!(connection.read_tickets().expect("tickets"), on_each);
        }
    });
    assert_eq!(stats.stored, FLOOD as u64);
    assert_eq!(stats.evicted, FLOOD as u64 - 64);
    stage.is_unharmed();
    stage.visit(&flood).is(Resumption::Resumed);
    assert_eq!(stage.held(), 64, "one went, one came");
}

/// The same on one connection, without a boundary between messages and records, as rustls sends
/// them: to OpenSSL it is all the same.
#[test]
fn openssl_bears_a_flood_in_one_piece() {
    let flood = server(Library::Rustls, Protocol::Tls13, |settings| {
        settings.tickets = FLOOD;
    });
    let stage = Stage::<OpenSsl>::new();
    assert_eq!(stage.visit(&flood).tickets, FLOOD);
    stage.visit(&flood).is(Resumption::Resumed);
    stage.is_unharmed();
    assert_eq!(stage.held(), 64);
}

/// rustls 0.23 reads no more than 64 KiB of handshake messages that run on from record to record.
#[test]
fn rustls_breaks_off_a_flood_in_one_piece() {
    breaks_off::<Rustls>(Library::Rustls, FLOOD, "message buffer full");
}

/// rustls 0.24.0-dev.1 reads no more than 32 messages in a row that bring no data, in one piece or
/// not.
#[test]
fn rustls_preview_breaks_off_a_flood() {
    for library in Library::ALL {
        let too_many = RustlsPreview::IN_A_ROW + 1;
        breaks_off::<RustlsPreview>(library, too_many, "TooManyConsecutiveHandshakeMessages");
    }
}

/// Such a connection is lost, whatever the store does; the next one is not.
fn breaks_off<B: Client>(library: Library, tickets: usize, why: &str) {
    let flood = server(library, Protocol::Tls13, |settings| {
        settings.tickets = tickets;
    });
    let stage = Stage::<B>::new();
    for _ in 0..3 {
        // What came before the end is stored; resumed, it would bring one ticket.
        flood.rotate_keys();
        let wire = FaultyTransport::new(&flood, Fault::None);
        let mut connection = stage.open(wire).expect("the handshake succeeds");
        let error = connection.read_tickets().expect_err("too much to read");
        assert!(error.to_string().contains(why), "{error}");
        stage.is_unharmed();
    }
    assert_eq!(stage.stats().failed, 0, "no handshake failed");
}

/// A flood at each connection, with a store that is small: what is resumed floods, too.
fn a_flood_again_and_again_is_bounded<B: Client>() {
    let tickets = B::IN_A_ROW.min(200);
    let limits = Limits::default()
        .with_servers(2)
        .with_sessions_per_server(3)
        .with_bytes(20 * 1024, 64 * 1024, 256 * 1024);
    let flood = server(Library::Rustls, Protocol::Tls13, |settings| {
        settings.tickets = tickets;
    });
    let stage = Stage::<B>::within(limits);
    stage.visit(&flood).is(Resumption::Full);
    for _ in 0..5 {
        let stats = stage.counted(|| stage.visit(&flood).is(Resumption::Resumed));
        assert_eq!((stats.taken, stats.stored), (1, tickets as u64));
        assert_eq!(stats.evicted, tickets as u64 - 1, "one place was free");
        stage.is_unharmed();
    }
    assert_eq!(stage.held(), 3);
}

/// Tickets that are the same bytes: what they mean to the server is the newest session, and that
/// is what a client offers.
fn equal_tickets_resume<B: Backend>() {
    for protocol in Protocol::ALL {
        let tickets = FaultyTicketer::new().same_ticket_for_newest();
        let same = server(Library::Rustls, protocol, |settings| {
            settings.tickets = 10;
            settings.rustls.ticketer = Some(Arc::new(tickets));
        });
        let stage = Stage::<B>::new();
        stage.visit(&same).is(Resumption::Full);
        let stats = stage.counted(|| {
            for _ in 0..10 {
                stage.visit(&same).is(Resumption::Resumed);
            }
        });
        assert_eq!((stats.resumed, stats.failed), (10, 0));
        stage.is_unharmed();
        let most = if protocol == Protocol::Tls13 { 64 } else { 1 };
        assert_eq!(stage.held(), most, "{protocol}");
    }
}

/// What is above the limit for a session is refused, and counted. (rustls 0.23 does not show a
/// session's size; it counts for what arrived with it.)
fn refuses_large_tickets<B: Backend>() {
    for protocol in Protocol::ALL {
        let large = server_with(protocol, FaultyTicketer::new().with_size(LARGE));
        let stage = Stage::<B>::new();
        let stats = stage.counted(|| {
            for _ in 0..3 {
                let visit = stage.visit(&large);
                visit.is(Resumption::Full);
                assert_eq!(visit.tickets, 1);
            }
        });
        assert_eq!((stats.refused_too_large, stats.stored), (3, 0));
        assert_eq!(stage.held(), 0);
        stage.is_unharmed();
    }
}

/// Large tickets that the limits allow count with their size: they push out the older ones of
/// their own server, and of nobody else.
fn counts_large_tickets_with_their_size<B: Backend>() {
    const SESSION: usize = 96 * 1024;
    let limits = Limits::default().with_bytes(SESSION, 4 * SESSION, 1024 * 1024);
    let large = server_with(Protocol::Tls13, FaultyTicketer::new().with_size(LARGE));
    let stage = Stage::<B>::within(limits);
    let visits = 20;
    let mut open = Vec::new();
    // All connections before the first ticket is read, so that none is used up.
    for _ in 0..visits {
        let wire = FaultyTransport::new(&large, Fault::None);
        open.push(stage.open(wire).expect("an honest handshake"));
    }
    let stats = stage.counted(|| {
        for connection in &mut open {
            assert_eq!(connection.read_tickets().expect("tickets"), 1);
        }
    });
    assert_eq!(stats.stored, visits);
    assert!(stats.bytes < 6 * SESSION as u64, "{stats:?}");
    assert!(stats.evicted >= visits - 6, "{stats:?}");
    stage.is_unharmed();
    stage.visit(&large).is(Resumption::Resumed);
}

/// Tickets that fit into their own message but, with all else that a `ClientHello` has, not into
/// one that the server reads: the handshake that offers one fails, the next one succeeds. (Only on
/// `OpenSSL`: debug builds of rustls 0.23 assert that all it sends can be encoded. The default
/// limits refuse such a ticket on either.)
#[test]
fn openssl_fails_once_on_tickets_too_large_to_come_back() {
    for protocol in Protocol::ALL {
        let large = server_with(protocol, FaultyTicketer::new().with_size(TOO_LARGE_TO_READ));
        let stage = Stage::<OpenSsl>::within(spacious());
        let stats = stage.counted(|| {
            for _ in 0..3 {
                stage.visit(&large).is(Resumption::Full);
                stage.visit_in_vain(FaultyTransport::new(&large, Fault::None));
            }
        });
        assert_eq!((stats.stored, stats.failed), (3, 3), "{protocol}");
        assert_eq!(stage.held(), 0, "{protocol}");
        stage.is_unharmed();
    }
}

/// A little more, and it cannot be encoded.
#[test]
fn openssl_fails_once_on_tickets_too_large_to_send() {
    let settings = FaultyTicketer::new().with_size(TOO_LARGE_TO_SEND);
    let large = server_with(Protocol::Tls12, settings);
    let stage = Stage::<OpenSsl>::within(spacious());
    stage.visit(&large).is(Resumption::Full);
    stage.visit_in_vain(FaultyTransport::new(&large, Fault::None));
    stage.visit(&large).is(Resumption::Full);
    stage.is_unharmed();
}

/// Limits under which a ticket of 64 KB is stored.
fn spacious() -> Limits {
    Limits::default().with_bytes(96 * 1024, 1024 * 1024, 64 * 1024 * 1024)
}
