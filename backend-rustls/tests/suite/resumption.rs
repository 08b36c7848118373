//! The handle of one connection: full and resumed handshakes, as rustls reports them.

use std::sync::Arc;
use std::time::Duration;

use lab::server::{Group, Library, Protocol};
use store_core::{KeyRef, Limits, SecurityDomain};

use super::client::Connection;
use super::client::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
use super::fixture::{Fixture, NAME, servers};

#[test]
fn the_first_handshake_is_full_and_later_ones_are_resumed() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        assert_eq!(fixture.visit(), Full);
        for _ in 0..3 {
            let connection = fixture.connection();
            let mut client = fixture.handshake(connection.resumption(), NAME).unwrap();
            assert!(connection.offered());
            assert_eq!(client.kind(), Resumed, "{library} {protocol}");
            assert!(client.transport.server().facts().unwrap().resumed);
            connection.settle(client.kind());
            client.echo();
            assert!(connection.tickets() > 0, "{library} {protocol}");
        }
        // One look-up per connection, in either version.
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.missed, stats.offered, stats.resumed), (1, 3, 3));
        assert_eq!((stats.declined, stats.failed), (0, 0));
    }
}

/// R7.
#[test]
fn two_connections_never_offer_the_same_ticket() {
    for library in Library::ALL {
        let fixture = Fixture::new(library, Protocol::Tls13);
        fixture.visit();
        // Two tickets for three simultaneous connections.
        let handles: Vec<_> = (0..3).map(|_| fixture.connection()).collect();
        let mut clients: Vec<_> = handles
            .iter()
            .map(|handle| fixture.handshake(handle.resumption(), NAME).unwrap())
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
fn keys_share_no_sessions() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        fixture.visit();
        let other_domain = SecurityDomain::from([8; 32]);
        let same_domain = KeyRef::new(&fixture.domain, NAME);
        for key in [
            KeyRef::new(&other_domain, NAME).with_port(443),
            same_domain,
            same_domain.with_port(8443),
            same_domain.with_port(443).with_endpoint(b"192.0.2.7"),
        ] {
            let connection = fixture.sessions.connection(key.to_key());
            assert_eq!(fixture.exchange(&connection), Full, "{key:?}");
            assert!(!connection.offered(), "{key:?}");
        }
        let host = KeyRef::new(&fixture.domain, "other.lab.example").with_port(443);
        let connection = fixture.sessions.connection(host.to_key());
        let client = fixture
            .handshake(connection.resumption(), "other.lab.example")
            .unwrap();
        assert_eq!((client.kind(), connection.offered()), (Full, false));
    }
}

/// R3.
#[test]
fn a_handle_offers_and_stores_nothing_for_another_host() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        fixture.visit();
        let stored = fixture.sessions_in_store();
        let connection = fixture.connection();
        let mut client = fixture
            .handshake(connection.resumption(), "other.lab.example")
            .unwrap();
        connection.settle(client.kind());
        client.echo();
        assert_eq!((client.kind(), connection.offered()), (Full, false));
        assert_eq!(
            (connection.tickets(), fixture.sessions_in_store()),
            (0, stored)
        );
    }
}

#[test]
fn a_server_with_new_keys_declines_and_the_connection_works() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        fixture.visit();
        fixture.server.rotate_keys();
        let connection = fixture.connection();
        assert_eq!(fixture.exchange(&connection), Full);
        assert!(connection.offered());
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.declined, stats.resumed, stats.failed), (1, 0, 0));
        assert_eq!(stats.removed, 0);
        // The session of the full handshake is newer than those under the old keys.
        assert_eq!(fixture.visit(), Resumed, "{library} {protocol}");
    }
}

#[test]
fn limits_off_make_every_handshake_full() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::with(Library::Rustls, protocol, Limits::off(), |_| {});
        for _ in 0..2 {
            let connection = fixture.connection();
            assert_eq!(fixture.exchange(&connection), Full);
            assert!(!connection.offered());
        }
        assert_eq!(fixture.sessions_in_store(), 0);
    }
}

/// The group that the server chose is the first key share of the next connection, even after a
/// handshake that was not settled.
#[test]
fn the_key_exchange_hint_saves_a_round_trip() {
    for library in Library::ALL {
        let only_p256 = |settings: &mut lab::server::ServerSettings| {
            settings.groups = vec![Group::P256];
        };
        let fixture = Fixture::with(library, Protocol::Tls13, Limits::default(), only_p256);
        let kind = |connection: &Arc<Connection>| {
            fixture
                .handshake(connection.resumption(), NAME)
                .unwrap()
                .kind()
        };
        assert_eq!(kind(&fixture.connection()), FullWithHelloRetryRequest);
        assert_eq!(kind(&fixture.connection()), Full, "{library}");
        let hint = fixture.sessions.store().hint(&fixture.key());
        assert_eq!(hint, Some(0x0017), "secp256r1");
    }
}

#[test]
fn a_connection_has_the_largest_early_data_of_its_tickets() {
    for (max_early_data, expected) in [(0, Some(0)), (4_096, Some(4_096))] {
        let fixture = Fixture::with(Library::Rustls, Protocol::Tls13, Limits::default(), |it| {
            it.max_early_data = max_early_data;
        });
        let connection = fixture.connection();
        assert_eq!(connection.max_early_data(), None);
        fixture.exchange(&connection);
        assert_eq!(connection.max_early_data(), expected);
    }
}

/// R12.
#[test]
fn renewals_do_not_extend_the_total_age() {
    let hour = Duration::from_secs(3_600);
    for (library, protocol) in servers() {
        let limits = Limits::default().with_total_age(4 * hour);
        let fixture = Fixture::with(library, protocol, limits, |settings| {
            settings.lifetime = Some(24 * hour);
        });
        assert_eq!(fixture.visit(), Full);
        for _ in 0..3 {
            fixture.clock.advance(hour);
            assert_eq!(fixture.visit(), Resumed, "{library} {protocol}");
        }
        fixture.clock.advance(hour);
        assert_eq!(fixture.visit(), Full, "{library} {protocol}");
        assert_eq!(fixture.visit(), Resumed);
    }
}

/// R11: after a resumed TLS 1.2 handshake rustls stores the session again, which does not extend its
/// lifetime.
#[test]
fn a_tls12_session_stored_again_lives_no_longer() {
    let hour = Duration::from_secs(3_600);
    for library in Library::ALL {
        let limits = Limits::default();
        let fixture = Fixture::with(library, Protocol::Tls12, limits, |settings| {
            settings.lifetime = Some(24 * hour);
        });
        assert_eq!(fixture.visit(), Full);
        for _ in 0..23 {
            fixture.clock.advance(hour);
            assert_eq!(fixture.visit(), Resumed, "{library}");
        }
        fixture.clock.advance(hour);
        assert_eq!(fixture.visit(), Full, "{library}");
    }
}
