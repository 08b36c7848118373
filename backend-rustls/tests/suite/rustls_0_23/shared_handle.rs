//! The shared handle: other people's clients resume through it, each config apart from the others.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol};
use rustls::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
use rustls::client::ClientSessionStore;
use rustls::pki_types::ServerName;
use store_core::{Limits, SecurityDomain};

use super::client::{config, shake};
use super::world::{NAME, World, all};

#[test]
fn a_config_resumes_through_a_shared_handle() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let shared = world.sessions.shared_handle("test").with_port(443);
        for expected in [Full, Resumed, Resumed] {
            let mut client = world.shake(shared.clone().resumption(), NAME).unwrap();
            client.echo();
            assert_eq!(client.kind(), expected, "{library} {protocol}");
            assert_eq!(
                client.transport.server().facts().unwrap().resumed,
                expected == Resumed
            );
        }
        assert!(world.held() > 0);
    }
}

/// R1: two handles are two domains, unless shared on purpose; so are ports and hosts.
#[test]
fn handles_ports_and_hosts_are_apart() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        let one = world.sessions.shared_handle("test");
        let other = world.sessions.shared_handle("test");
        assert_ne!(one.domain(), other.domain());
        assert_eq!(one.domain(), one.clone().with_port(25).domain());

        let kind = |handle: &backend_rustls::SharedHandle, name| {
            let mut client = world.shake(handle.clone().resumption(), name).unwrap();
            client.echo();
            client.kind()
        };
        assert_eq!(kind(&one, NAME), Full);
        assert_eq!(kind(&other, NAME), Full);
        assert_eq!(kind(&one.clone().with_port(25), NAME), Full);
        assert_eq!(kind(&one, "other.lab.example"), Full);
        assert_eq!(kind(&one, "192.0.2.7"), Full);
        for name in [NAME, "other.lab.example", "192.0.2.7"] {
            assert_eq!(kind(&one, name), Resumed, "{name}");
        }

        let domain = SecurityDomain::from([9; 32]);
        assert_eq!(kind(&world.sessions.shared_handle_in(domain), NAME), Full);
        assert_eq!(
            kind(&world.sessions.shared_handle_in(domain), NAME),
            Resumed
        );
    }
}

/// rustls looks for a session of each version of TLS, but it is one connection that finds none.
#[test]
fn a_connection_misses_once() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let shared = world.sessions.shared_handle("test");
        for (missed, offered) in [(1, 0), (1, 1), (1, 2)] {
            let mut client = world.shake(shared.clone().resumption(), NAME).unwrap();
            client.echo();
            let stats = world.sessions.store().stats();
            assert_eq!(
                (stats.missed, stats.offered),
                (missed, offered),
                "{protocol}"
            );
        }
    }
}

/// After a TLS 1.3 handshake rustls wants the TLS 1.2 session gone; where there never was one,
/// that is no look-up and counts as none.
#[test]
fn a_server_that_moves_to_tls13_loses_its_tls12_session() {
    let old = World::new(Library::OpenSsl, Protocol::Tls12);
    let mut new = World::new(Library::OpenSsl, Protocol::Tls13);
    let shared = new.sessions.shared_handle("test");
    new.shake(shared.clone().resumption(), NAME).unwrap().echo();
    let before = new.sessions.store().stats();
    assert_eq!((before.missed, before.sessions), (1, 2));

    new.sessions = old.sessions.clone();
    let shared = old.sessions.shared_handle("test");
    old.shake(shared.clone().resumption(), NAME).unwrap().echo();
    assert_eq!(old.held(), 1);
    new.shake(shared.clone().resumption(), NAME).unwrap();
    assert_eq!(old.held(), 0);
}

/// R4: a certificate from somebody else's authority leaves nothing behind.
#[test]
fn a_failed_verification_stores_nothing() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let mut config = config(protocol, &stranger);
        config.resumption = world.sessions.shared_handle("test").resumption();
        assert!(shake(&world.server, config, NAME).is_err());
        assert_eq!(world.sessions.store().stats().stored, 0);
    }
}

#[test]
fn limits_that_are_off_leave_full_handshakes() {
    for protocol in Protocol::ALL {
        let world = World::with(Library::Rustls, protocol, Limits::off(), |_| {});
        let shared = world.sessions.shared_handle("test");
        for _ in 0..2 {
            let mut client = world.shake(shared.clone().resumption(), NAME).unwrap();
            client.echo();
            assert_eq!(client.kind(), Full);
        }
        assert_eq!(world.held(), 0);
    }
}

/// The group that the server chose is the first key share of the next connection, and rustls is
/// told so on either handle.
#[test]
fn the_key_exchange_hint_saves_a_round_trip() {
    for library in Library::ALL {
        let only_p256 = |settings: &mut lab::server::ServerSettings| {
            settings.groups = vec![Group::P256];
        };
        let world = World::with(library, Protocol::Tls13, Limits::default(), only_p256);
        let shared = world.sessions.shared_handle("test");
        for expected in [FullWithHelloRetryRequest, Full] {
            let client = world.shake(shared.clone().resumption(), NAME).unwrap();
            assert_eq!(client.kind(), expected);
        }
        world.visit();
        let name = ServerName::try_from(NAME).unwrap();
        let hint = world.connection().kx_hint(&name);
        assert_eq!(hint, Some(rustls::NamedGroup::secp256r1));
    }
}

/// R24: its Debug shows no ticket.
#[test]
fn debug_shows_no_session() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        let shared = world.sessions.shared_handle("test");
        world
            .shake(shared.clone().resumption(), NAME)
            .unwrap()
            .echo();
        let text = format!("{shared:?} {:?}", shared.clone().resumption());
        let mut next = world.shake(shared.resumption(), NAME).unwrap();
        let ticket = next.ticket().unwrap();
        let part = format!("{:?}", &ticket[..8]);
        assert!(!text.contains(part.trim_matches(['[', ']'])), "{text}");
    }
}

/// R6: whatever way a host is written, and on all its ports.
#[test]
fn hosts_that_are_excepted_have_no_sessions() {
    for (library, protocol) in all() {
        let world = World::new(library, protocol);
        let shared = world
            .sessions
            .shared_handle("test")
            .with_never_resume(["192.0.2.7"]);
        let shared = shared.with_never_resume([NAME.to_uppercase() + "."]);
        for handle in [shared.clone().with_port(443), shared.clone()] {
            for name in [NAME, "192.0.2.7"] {
                for _ in 0..2 {
                    let mut client = world.shake(handle.clone().resumption(), name).unwrap();
                    client.echo();
                    assert_eq!(client.kind(), Full, "{library} {protocol} {name}");
                }
            }
        }
        let stats = world.sessions.store().stats();
        assert_eq!((stats.stored, stats.offered), (0, 0));
        for expected in [Full, Resumed] {
            let other = shared.clone().resumption();
            let mut client = world.shake(other, "other.lab.example").unwrap();
            client.echo();
            assert_eq!(client.kind(), expected);
        }
    }
}
