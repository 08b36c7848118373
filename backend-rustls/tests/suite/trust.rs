//! Nothing is kept that should not be trusted, and what was kept can be revoked.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use store_core::{Limits, SessionStore};

use super::client::HandshakeKind::{Full, Resumed};
use super::client::{Session, config, shake};
use super::world::{NAME, World, all};

/// R4: received is not stored.
#[test]
fn sessions_are_stored_when_the_handshake_is_settled() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let connection = world.connection();
        let mut client = world.shake(connection.resumption(), NAME).unwrap();
        client.echo();
        let received = connection.tickets();
        assert!(received > 0);
        assert_eq!(world.held(), 0, "{library} {protocol}");
        connection.settle(client.kind());
        assert_eq!(world.held(), received as u64);
        connection.settle(client.kind());
        assert_eq!(world.held(), received as u64);
    }
}

/// Before `settle` no more is kept than the store would hold.
#[test]
fn a_flood_of_tickets_before_settle_is_bounded() {
    let limits = Limits::default().with_sessions_per_server(3);
    let world = World::with(Library::Rustls, Protocol::Tls13, limits, |settings| {
        settings.tickets = 10;
    });
    let connection = world.connection();
    let mut client = world.shake(connection.resumption(), NAME).unwrap();
    client.echo();
    connection.settle(client.kind());
    assert_eq!((connection.tickets(), world.held()), (10, 3));
    assert_eq!(world.sessions.store().stats().stored, 3);
    connection.forget();
    assert_eq!(world.held(), 0);
}

/// R4: a certificate from somebody else's authority leaves nothing behind.
#[test]
fn a_failed_verification_stores_nothing() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let connection = world.connection();
        let mut config = config(protocol, &stranger);
        config.resumption = connection.resumption();
        assert!(shake(&world.server, config, NAME).is_err());
        assert_eq!(connection.tickets(), 0);
        drop(connection);
        let stats = world.sessions.store().stats();
        assert_eq!((stats.stored, stats.failed), (0, 0));
    }
}

/// R4: an application check that fails later takes back what its connection stored.
#[test]
fn forget_revokes_what_was_stored_and_refuses_what_comes() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        // Stored, then forgotten.
        let connection = world.connection();
        world.exchange(&connection);
        assert!(world.held() > 0);
        connection.forget();
        assert_eq!(world.held(), 0, "{library} {protocol}");

        // Forgotten, then received: TLS 1.3 tickets come with the first answer.
        let late = world.connection();
        let mut client = world.shake(late.resumption(), NAME).unwrap();
        late.settle(client.kind());
        late.forget();
        let stored = world.sessions.store().stats().stored;
        client.echo();
        assert!(late.tickets() > 0);
        assert_eq!(world.sessions.store().stats().stored, stored);
        assert_eq!(world.held(), 0, "{library} {protocol}");

        // Forgotten, then settled.
        let unsettled = world.connection();
        let mut client = world.shake(unsettled.resumption(), NAME).unwrap();
        unsettled.forget();
        unsettled.settle(client.kind());
        client.echo();
        assert_eq!(world.held(), 0, "{library} {protocol}");
        assert_eq!(world.visit(), Full);
    }
}

/// R4: so does the TLS 1.2 session that it resumed.
#[test]
fn forget_removes_the_session_that_was_resumed() {
    for library in Library::ALL {
        let world = World::new(library, Protocol::Tls12);
        world.visit();
        let connection = world.connection();
        let client = world.shake(connection.resumption(), NAME).unwrap();
        assert_eq!(client.kind(), Resumed);
        connection.forget();
        assert_eq!(world.held(), 0, "{library}");
        connection.settle(client.kind());
        drop(connection);
        let stats = world.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0));
    }
}

/// R9: the server's fatal alert takes what the connection stored and resumed, and what is older.
#[test]
fn a_refused_connection_leaves_nothing_older_behind() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        world.visit();
        let connection = world.connection();
        assert_eq!(world.exchange(&connection), Resumed);
        assert!(world.held() > 0);
        connection.alert_received();
        assert_eq!(world.held(), 0, "{library} {protocol}");
        connection.alert_received();
        drop(connection);
        let stats = world.sessions.store().stats();
        assert_eq!((stats.resumed, stats.failed), (1, 0));
        assert_eq!(world.visit(), Full);
    }
}

/// R9: a handshake that fails takes the TLS 1.2 session with it that it offered.
#[test]
fn an_unsettled_handshake_removes_the_session_it_offered() {
    for library in Library::ALL {
        let world = World::new(library, Protocol::Tls12);
        world.visit();
        let connection = world.connection();
        drop(world.shake(connection.resumption(), NAME));
        assert_eq!(world.held(), 1);
        drop(connection);
        let stats = world.sessions.store().stats();
        assert_eq!((stats.sessions, stats.removed, stats.failed), (0, 1, 1));
        // A handle that rustls never asked has nothing to answer for.
        world.visit();
        drop(world.connection());
        assert_eq!(world.held(), 1);
        assert_eq!(world.sessions.store().stats().failed, 1);
    }
}

/// R9: but not a newer one.
#[test]
fn an_unsettled_handshake_leaves_a_newer_session() {
    for library in Library::ALL {
        let world = World::new(library, Protocol::Tls12);
        world.visit();
        let failing = world.connection();
        let client = world.shake(failing.resumption(), NAME).unwrap();
        assert!(failing.offered());
        assert_eq!(world.visit(), Resumed); // stores the session anew
        drop((failing, client));
        let stats = world.sessions.store().stats();
        assert_eq!((stats.sessions, stats.removed, stats.failed), (1, 0, 1));
        assert_eq!(world.visit(), Resumed);
    }
}

/// R22: what arrives after a clear, on a connection from before, is refused.
#[test]
fn a_clear_refuses_late_tickets() {
    let clears: [fn(&World, &SessionStore<Session>); 2] = [
        |_, store| store.clear(),
        |world, store| store.clear_server(&world.key()),
    ];
    for clear in clears {
        for (library, protocol) in all() {
            let world = World::new(library, protocol);
            let store = world.sessions.store();
            // Cleared before settle, and between settle and the tickets.
            let early = world.connection();
            let late = world.connection();
            let mut clients =
                [&early, &late].map(|handle| world.shake(handle.resumption(), NAME).unwrap());
            late.settle(Full);
            clear(&world, store);
            early.settle(Full);
            for client in &mut clients {
                client.echo();
            }
            assert!(early.tickets() > 0 && late.tickets() > 0);
            assert_eq!(world.held(), 0, "{library} {protocol}");
            assert!(store.stats().refused_cleared > 0);
            assert_eq!(world.visit(), Full);
            assert_eq!(world.visit(), Resumed);
        }
    }
}

/// R24: the handles' Debug shows no ticket: neither one that waits for `settle` nor a stored one.
#[test]
fn debug_shows_no_session() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        world.visit();
        let connection = world.connection();
        let mut client = world.shake(connection.resumption(), NAME).unwrap();
        client.echo();
        let handles = format!("{connection:?} {:?}", world.sessions);
        let text = format!("{handles} {:?}", connection.resumption());
        assert!(text.contains(NAME) && text.contains("offered: true"));

        // What was waiting is what the next connection offers, or what was stored under it.
        connection.settle(client.kind());
        for _ in 0..2 {
            let handle = world.connection();
            let mut next = world.shake(handle.resumption(), NAME).unwrap();
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
