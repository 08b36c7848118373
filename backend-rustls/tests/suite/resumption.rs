//! A handle for one connection: full, then resumed, by rustls's own word.

use std::sync::Arc;
use std::time::Duration;

use lab::server::{Group, Library, Protocol};
use store_core::{KeyRef, Limits, SecurityDomain};

use super::client::Connection;
use super::client::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
use super::world::{NAME, World, all};

#[test]
fn full_then_resumed() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        assert_eq!(world.visit(), Full);
        for _ in 0..3 {
            let connection = world.connection();
            let mut client = world.shake(connection.resumption(), NAME).unwrap();
            assert!(connection.offered());
            assert_eq!(client.kind(), Resumed, "{library} {protocol}");
            assert!(client.transport.server().facts().unwrap().resumed);
            connection.settle(client.kind());
            client.echo();
            assert!(connection.tickets() > 0, "{library} {protocol}");
        }
        // One look-up a connection, whatever the version.
        let stats = world.sessions.store().stats();
        assert_eq!((stats.missed, stats.offered, stats.resumed), (1, 3, 3));
        assert_eq!((stats.declined, stats.failed), (0, 0));
    }
}

/// R7: a ticket is offered once, whatever becomes of it.
#[test]
fn two_connections_never_get_the_same_ticket() {
    for library in Library::ALL {
        let world = World::new(library, Protocol::Tls13);
        world.visit();
        // Two tickets, three connections at once.
        let handles: Vec<_> = (0..3).map(|_| world.connection()).collect();
        let mut clients: Vec<_> = handles
            .iter()
            .map(|handle| world.shake(handle.resumption(), NAME).unwrap())
            .collect();
        let tickets: Vec<_> = clients
            .iter_mut()
            .map(super::client::Client::ticket)
            .collect();
        assert!(tickets[0].is_some() && tickets[1].is_some());
        assert_ne!(tickets[0], tickets[1]);
        assert_eq!((clients[2].kind(), &tickets[2]), (Full, &None));
    }
}

/// R1: another domain, port, endpoint or host is another server.
#[test]
fn keys_are_apart() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        world.visit();
        let elsewhere = SecurityDomain::from([8; 32]);
        let at_home = KeyRef::new(&world.domain, NAME);
        for key in [
            KeyRef::new(&elsewhere, NAME).with_port(443),
            at_home,
            at_home.with_port(8443),
            at_home.with_port(443).with_endpoint(b"192.0.2.7"),
        ] {
            let connection = world.sessions.connection(key.to_key());
            assert_eq!(world.exchange(&connection), Full, "{key:?}");
            assert!(!connection.offered(), "{key:?}");
        }
        let host = KeyRef::new(&world.domain, "other.lab.example").with_port(443);
        let connection = world.sessions.connection(host.to_key());
        let client = world
            .shake(connection.resumption(), "other.lab.example")
            .unwrap();
        assert_eq!((client.kind(), connection.offered()), (Full, false));
    }
}

/// R3: a handle serves the host of its key and no other.
#[test]
fn another_host_than_the_keys_finds_and_stores_nothing() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        world.visit();
        let held = world.held();
        let connection = world.connection();
        let mut client = world
            .shake(connection.resumption(), "other.lab.example")
            .unwrap();
        connection.settle(client.kind());
        client.echo();
        assert_eq!((client.kind(), connection.offered()), (Full, false));
        assert_eq!((connection.tickets(), world.held()), (0, held));
    }
}

#[test]
fn a_server_that_lost_its_keys_declines_and_the_connection_works() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        world.visit();
        world.server.rotate_keys();
        let connection = world.connection();
        assert_eq!(world.exchange(&connection), Full);
        assert!(connection.offered());
        let stats = world.sessions.store().stats();
        assert_eq!((stats.declined, stats.resumed, stats.failed), (1, 0, 0));
        assert_eq!(stats.removed, 0);
        // What the full handshake gave is newer than what is left of the old.
        assert_eq!(world.visit(), Resumed, "{library} {protocol}");
    }
}

#[test]
fn limits_that_are_off_leave_full_handshakes() {
    for protocol in Protocol::ALL {
        let world = World::with(Library::Rustls, protocol, Limits::off(), |_| {});
        for _ in 0..2 {
            let connection = world.connection();
            assert_eq!(world.exchange(&connection), Full);
            assert!(!connection.offered());
        }
        assert_eq!(world.held(), 0);
    }
}

/// The group that the server chose is the first key share of the next connection, even after a
/// handshake that nobody settled.
#[test]
fn the_key_exchange_hint_saves_a_round_trip() {
    for library in Library::ALL {
        let only_p256 = |settings: &mut lab::server::ServerSettings| {
            settings.groups = vec![Group::P256];
        };
        let world = World::with(library, Protocol::Tls13, Limits::default(), only_p256);
        let kind = |connection: &Arc<Connection>| {
            world.shake(connection.resumption(), NAME).unwrap().kind()
        };
        assert_eq!(kind(&world.connection()), FullWithHelloRetryRequest);
        assert_eq!(kind(&world.connection()), Full, "{library}");
        let hint = world.sessions.store().hint(&world.key());
        assert_eq!(hint, Some(0x0017), "secp256r1");
    }
}

#[test]
fn the_largest_early_data_of_the_tickets_is_known() {
    for (max_early_data, expected) in [(0, Some(0)), (4_096, Some(4_096))] {
        let world = World::with(Library::Rustls, Protocol::Tls13, Limits::default(), |it| {
            it.max_early_data = max_early_data;
        });
        let connection = world.connection();
        assert_eq!(connection.max_early_data(), None);
        world.exchange(&connection);
        assert_eq!(connection.max_early_data(), expected);
    }
}

/// R12: renewals do not extend the time since the last full handshake.
#[test]
fn renewals_keep_their_age() {
    let hour = Duration::from_secs(3_600);
    for (library, protocol) in all() {
        let limits = Limits::default().with_total_age(4 * hour);
        let world = World::with(library, protocol, limits, |settings| {
            settings.lifetime = Some(24 * hour);
        });
        assert_eq!(world.visit(), Full);
        for _ in 0..3 {
            world.clock.advance(hour);
            assert_eq!(world.visit(), Resumed, "{library} {protocol}");
        }
        world.clock.advance(hour);
        assert_eq!(world.visit(), Full, "{library} {protocol}");
        assert_eq!(world.visit(), Resumed);
    }
}

/// R11: after a resumed TLS 1.2 handshake rustls stores the session again, and that does not give
/// it another life.
#[test]
fn a_tls12_session_that_is_stored_again_lives_no_longer() {
    let hour = Duration::from_secs(3_600);
    for library in Library::ALL {
        let limits = Limits::default();
        let world = World::with(library, Protocol::Tls12, limits, |settings| {
            settings.lifetime = Some(24 * hour);
        });
        assert_eq!(world.visit(), Full);
        for _ in 0..23 {
            world.clock.advance(hour);
            assert_eq!(world.visit(), Resumed, "{library}");
        }
        world.clock.advance(hour);
        assert_eq!(world.visit(), Full, "{library}");
    }
}
