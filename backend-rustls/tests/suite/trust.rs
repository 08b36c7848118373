//! When sessions are stored, refused and revoked.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use store_core::{Limits, SessionStore};

use super::client::HandshakeKind::{Full, Resumed};
use super::client::{Session, config, handshake};
use super::fixture::{Fixture, NAME, servers};

/// R4: not when they are received.
#[test]
fn sessions_are_stored_when_the_handshake_is_settled() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let connection = fixture.connection();
        let mut client = fixture.handshake(connection.resumption(), NAME).unwrap();
        client.echo();
        let received = connection.tickets();
        assert!(received > 0);
        assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");
        connection.settle(client.kind());
        assert_eq!(fixture.sessions_in_store(), received as u64);
        connection.settle(client.kind());
        assert_eq!(fixture.sessions_in_store(), received as u64);
    }
}

/// As many are held as the store keeps of a server.
#[test]
fn a_flood_of_tickets_before_settle_is_bounded() {
    let limits = Limits::default().with_sessions_per_server(3);
    let fixture = Fixture::with(Library::Rustls, Protocol::Tls13, limits, |settings| {
        settings.tickets = 10;
    });
    let connection = fixture.connection();
    let mut client = fixture.handshake(connection.resumption(), NAME).unwrap();
    client.echo();
    connection.settle(client.kind());
    assert_eq!((connection.tickets(), fixture.sessions_in_store()), (10, 3));
    assert_eq!(fixture.sessions.store().stats().stored, 3);
    connection.forget();
    assert_eq!(fixture.sessions_in_store(), 0);
}

/// R4: a certificate of an unknown authority.
#[test]
fn a_failed_verification_stores_nothing() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let connection = fixture.connection();
        let mut config = config(protocol, &stranger);
        config.resumption = connection.resumption();
        assert!(handshake(&fixture.server, config, NAME).is_err());
        assert_eq!(connection.tickets(), 0);
        drop(connection);
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.stored, stats.failed), (0, 0));
    }
}

/// R4: for a check of the application that fails after the handshake.
#[test]
fn forget_revokes_stored_sessions_and_refuses_later_ones() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        // Stored, then forgotten.
        let connection = fixture.connection();
        fixture.exchange(&connection);
        assert!(fixture.sessions_in_store() > 0);
        connection.forget();
        assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");

        // Forgotten, then received: TLS 1.3 tickets arrive with the first answer.
        let late = fixture.connection();
        let mut client = fixture.handshake(late.resumption(), NAME).unwrap();
        late.settle(client.kind());
        late.forget();
        let stored = fixture.sessions.store().stats().stored;
        client.echo();
        assert!(late.tickets() > 0);
        assert_eq!(fixture.sessions.store().stats().stored, stored);
        assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");

        // Forgotten, then settled.
        let unsettled = fixture.connection();
        let mut client = fixture.handshake(unsettled.resumption(), NAME).unwrap();
        unsettled.forget();
        unsettled.settle(client.kind());
        client.echo();
        assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");
        assert_eq!(fixture.visit(), Full);
    }
}

/// R4: the TLS 1.2 session.
#[test]
fn forget_revokes_the_session_that_was_resumed() {
    for library in Library::ALL {
        let fixture = Fixture::new(library, Protocol::Tls12);
        fixture.visit();
        let connection = fixture.connection();
        let client = fixture.handshake(connection.resumption(), NAME).unwrap();
        assert_eq!(client.kind(), Resumed);
        connection.forget();
        assert_eq!(fixture.sessions_in_store(), 0, "{library}");
        connection.settle(client.kind());
        drop(connection);
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0));
    }
}

/// R9: the sessions that the connection stored, the one that it resumed, and older ones.
#[test]
fn a_fatal_alert_removes_the_resumed_session_and_older_ones() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        fixture.visit();
        let connection = fixture.connection();
        assert_eq!(fixture.exchange(&connection), Resumed);
        assert!(fixture.sessions_in_store() > 0);
        connection.alert_received(Some(40));
        assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");
        connection.alert_received(Some(40));
        drop(connection);
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0));
        assert_eq!(fixture.visit(), Full);
    }
}

/// R9, R31: in the handshake it ends the handshake as failed, and takes the sessions that are older than
/// the one offered.
#[test]
fn a_fatal_alert_in_the_handshake_fails_it() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        fixture.visit();
        let connection = fixture.connection();
        drop(fixture.handshake(connection.resumption(), NAME));
        connection.alert_received(Some(80)); // internal_error
        let stats = fixture.sessions.store().stats();
        let what = format!("{library} {protocol}: {stats:?}");
        assert_eq!(
            (stats.failed, stats.resumed, stats.sessions),
            (1, 0, 0),
            "{what}"
        );
        // Later reports of the same connection change nothing.
        connection.alert_received(Some(80));
        drop(connection);
        assert_eq!(fixture.sessions.store().stats().failed, 1, "{what}");
        assert_eq!(fixture.visit(), Full);
        assert_eq!(fixture.visit(), Full, "{what}: the server is avoided");
        assert_eq!(fixture.sessions.store().stats().avoided, 1, "{what}");
    }
}

/// R9: the TLS 1.2 session.
#[test]
fn an_unsettled_handshake_removes_the_session_that_it_offered() {
    for library in Library::ALL {
        let fixture = Fixture::new(library, Protocol::Tls12);
        fixture.visit();
        let connection = fixture.connection();
        drop(fixture.handshake(connection.resumption(), NAME));
        assert_eq!(fixture.sessions_in_store(), 1);
        drop(connection);
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.sessions, stats.removed, stats.failed), (0, 1, 1));
        // A handle that offered nothing removes nothing.
        fixture.visit();
        drop(fixture.connection());
        assert_eq!(fixture.sessions_in_store(), 1);
        assert_eq!(fixture.sessions.store().stats().failed, 1);
    }
}

/// R9.
#[test]
fn an_unsettled_handshake_keeps_a_newer_session() {
    for library in Library::ALL {
        let fixture = Fixture::new(library, Protocol::Tls12);
        fixture.visit();
        let failing = fixture.connection();
        let client = fixture.handshake(failing.resumption(), NAME).unwrap();
        assert!(failing.offered());
        assert_eq!(fixture.visit(), Resumed); // stores the session anew
        drop((failing, client));
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.sessions, stats.removed, stats.failed), (1, 0, 1));
        // R31: one connection offers nothing.
        assert_eq!(fixture.visit(), Full);
        assert_eq!(fixture.visit(), Resumed);
    }
}

/// R22: on a connection that was open before.
#[test]
fn a_clear_refuses_late_tickets() {
    let clears: [fn(&Fixture, &SessionStore<Session>); 2] = [
        |_, store| store.clear(),
        |fixture, store| store.clear_server(&fixture.key()),
    ];
    for clear in clears {
        for (library, protocol) in servers() {
            let fixture = Fixture::new(library, protocol);
            let store = fixture.sessions.store();
            // Cleared before settle, and between settle and the tickets.
            let early = fixture.connection();
            let late = fixture.connection();
            let mut clients =
                [&early, &late].map(|handle| fixture.handshake(handle.resumption(), NAME).unwrap());
            late.settle(Full);
            clear(&fixture, store);
            early.settle(Full);
            for client in &mut clients {
                client.echo();
            }
            assert!(early.tickets() > 0 && late.tickets() > 0);
            assert_eq!(fixture.sessions_in_store(), 0, "{library} {protocol}");
            assert!(store.stats().refused_cleared > 0);
            assert_eq!(fixture.visit(), Full);
            assert_eq!(fixture.visit(), Resumed);
        }
    }
}

/// R24: neither a ticket held until `settle` nor a stored one.
#[test]
fn debug_shows_no_session() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        fixture.visit();
        let connection = fixture.connection();
        let mut client = fixture.handshake(connection.resumption(), NAME).unwrap();
        client.echo();
        let handles = format!("{connection:?} {:?}", fixture.sessions);
        let text = format!("{handles} {:?}", connection.resumption());
        assert!(text.contains(NAME) && text.contains("offered: true"));

        // The next connections offer the tickets that were held and those stored before.
        connection.settle(client.kind());
        for _ in 0..2 {
            let handle = fixture.connection();
            let mut next = fixture.handshake(handle.resumption(), NAME).unwrap();
            handle.settle(next.kind());
            let ticket = next.ticket().unwrap();
            let part = &ticket[..8];
            let decimal = format!("{part:?}");
            assert!(!text.contains(decimal.trim_matches(['[', ']'])), "{text}");
            let hex = format!("{:016x}", u64::from_be_bytes(part.try_into().unwrap()));
            assert!(!text.to_lowercase().contains(&hex), "{text}");
        }
    }
}
