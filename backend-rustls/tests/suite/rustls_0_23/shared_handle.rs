//! The shared handle: one for all connections of a configuration.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol};
use rustls::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
use rustls::client::ClientSessionStore;
use rustls::pki_types::ServerName;
use store_core::{Limits, SecurityDomain};

use super::client::{config, handshake};
use super::fixture::{Fixture, NAME, servers};

#[test]
fn a_config_resumes_through_a_shared_handle() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let shared = fixture.sessions.shared_handle("test").with_port(443);
        for expected in [Full, Resumed, Resumed] {
            let mut client = fixture
                .handshake(shared.clone().resumption(), NAME)
                .unwrap();
            client.echo();
            assert_eq!(client.kind(), expected, "{library} {protocol}");
            assert_eq!(
                client.transport.server().facts().unwrap().resumed,
                expected == Resumed
            );
        }
        assert!(fixture.sessions_in_store() > 0);
    }
}

/// R1: unless the caller gives two handles the same domain.
#[test]
fn handles_ports_and_hosts_share_no_sessions() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        let one = fixture.sessions.shared_handle("test");
        let other = fixture.sessions.shared_handle("test");
        assert_ne!(one.domain(), other.domain());
        assert_eq!(one.domain(), one.clone().with_port(25).domain());

        let kind = |handle: &backend_rustls::SharedHandle, name| {
            let mut client = fixture
                .handshake(handle.clone().resumption(), name)
                .unwrap();
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
        assert_eq!(kind(&fixture.sessions.shared_handle_in(domain), NAME), Full);
        assert_eq!(
            kind(&fixture.sessions.shared_handle_in(domain), NAME),
            Resumed
        );
    }
}

/// rustls asks for a session of each version of TLS; that is one miss.
#[test]
fn a_connection_counts_as_one_miss() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let shared = fixture.sessions.shared_handle("test");
        for (missed, offered) in [(1, 0), (1, 1), (1, 2)] {
            let mut client = fixture
                .handshake(shared.clone().resumption(), NAME)
                .unwrap();
            client.echo();
            let stats = fixture.sessions.store().stats();
            assert_eq!(
                (stats.missed, stats.offered),
                (missed, offered),
                "{protocol}"
            );
        }
    }
}

/// After a TLS 1.3 handshake rustls removes the TLS 1.2 session. Without one, nothing is counted.
#[test]
fn a_server_that_moves_to_tls13_loses_its_tls12_session() {
    let old = Fixture::new(Library::OpenSsl, Protocol::Tls12);
    let mut new = Fixture::new(Library::OpenSsl, Protocol::Tls13);
    let shared = new.sessions.shared_handle("test");
    new.handshake(shared.clone().resumption(), NAME)
        .unwrap()
        .echo();
    let before = new.sessions.store().stats();
    assert_eq!((before.missed, before.sessions), (1, 2));

    new.sessions = old.sessions.clone();
    let shared = old.sessions.shared_handle("test");
    old.handshake(shared.clone().resumption(), NAME)
        .unwrap()
        .echo();
    assert_eq!(old.sessions_in_store(), 1);
    new.handshake(shared.clone().resumption(), NAME).unwrap();
    assert_eq!(old.sessions_in_store(), 0);
}

/// R4: a certificate of an unknown authority.
#[test]
fn a_failed_verification_stores_nothing() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let mut config = config(protocol, &stranger);
        config.resumption = fixture.sessions.shared_handle("test").resumption();
        assert!(handshake(&fixture.server, config, NAME).is_err());
        assert_eq!(fixture.sessions.store().stats().stored, 0);
    }
}

#[test]
fn limits_off_make_every_handshake_full() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::with(Library::Rustls, protocol, Limits::off(), |_| {});
        let shared = fixture.sessions.shared_handle("test");
        for _ in 0..2 {
            let mut client = fixture
                .handshake(shared.clone().resumption(), NAME)
                .unwrap();
            client.echo();
            assert_eq!(client.kind(), Full);
        }
        assert_eq!(fixture.sessions_in_store(), 0);
    }
}

/// The group that the server chose is the first key share of the next connection, with either
/// handle.
#[test]
fn the_key_exchange_hint_saves_a_round_trip() {
    for library in Library::ALL {
        let only_p256 = |settings: &mut lab::server::ServerSettings| {
            settings.groups = vec![Group::P256];
        };
        let fixture = Fixture::with(library, Protocol::Tls13, Limits::default(), only_p256);
        let shared = fixture.sessions.shared_handle("test");
        for expected in [FullWithHelloRetryRequest, Full] {
            let client = fixture
                .handshake(shared.clone().resumption(), NAME)
                .unwrap();
            assert_eq!(client.kind(), expected);
        }
        fixture.visit();
        let name = ServerName::try_from(NAME).unwrap();
        let hint = fixture.connection().kx_hint(&name);
        assert_eq!(hint, Some(rustls::NamedGroup::secp256r1));
    }
}

/// R24.
#[test]
fn debug_shows_no_session() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        let shared = fixture.sessions.shared_handle("test");
        fixture
            .handshake(shared.clone().resumption(), NAME)
            .unwrap()
            .echo();
        let text = format!("{shared:?} {:?}", shared.clone().resumption());
        let mut next = fixture.handshake(shared.resumption(), NAME).unwrap();
        let ticket = next.ticket().unwrap();
        let part = format!("{:?}", &ticket[..8]);
        assert!(!text.contains(part.trim_matches(['[', ']'])), "{text}");
    }
}

/// R6: in any spelling of the host, and on all ports.
#[test]
fn never_resumed_hosts_have_no_sessions() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let shared = fixture
            .sessions
            .shared_handle("test")
            .with_never_resume(["192.0.2.7"]);
        let shared = shared.with_never_resume([NAME.to_uppercase() + "."]);
        for handle in [shared.clone().with_port(443), shared.clone()] {
            for name in [NAME, "192.0.2.7"] {
                for _ in 0..2 {
                    let mut client = fixture
                        .handshake(handle.clone().resumption(), name)
                        .unwrap();
                    client.echo();
                    assert_eq!(client.kind(), Full, "{library} {protocol} {name}");
                }
            }
        }
        let stats = fixture.sessions.store().stats();
        assert_eq!((stats.stored, stats.offered), (0, 0));
        for expected in [Full, Resumed] {
            let other = shared.clone().resumption();
            let mut client = fixture.handshake(other, "other.lab.example").unwrap();
            client.echo();
            assert_eq!(client.kind(), expected);
        }
    }
}
