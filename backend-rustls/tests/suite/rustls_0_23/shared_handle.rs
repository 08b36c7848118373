//! The shared handle: one for all connections of a configuration.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::faults::{Fault, FaultyTransport};
use lab::server::{Group, Library, Protocol, ServerSettings};
use rustls::HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
use rustls::client::ClientSessionStore;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
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
        let only_p256 = |settings: &mut ServerSettings| {
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

/// R6, R36: on all ports, and as long as the condition says so.
#[test]
fn servers_that_the_condition_excludes_have_no_sessions() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let lifted = Arc::new(AtomicBool::new(false));
        let is_lifted = Arc::clone(&lifted);
        let resumes = move |name: &ServerName<'_>| match name {
            ServerName::DnsName(name) if name.as_ref() == NAME => is_lifted.load(Relaxed),
            name => matches!(name, ServerName::DnsName(_)),
        };
        let shared = fixture.sessions.shared_handle("test");
        let shared = shared.with_condition(resumes);
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
        for name in ["other.lab.example", NAME] {
            for expected in [Full, Resumed] {
                let handle = shared.clone().resumption();
                let mut client = fixture.handshake(handle, name).unwrap();
                client.echo();
                assert_eq!(client.kind(), expected, "{name}");
            }
            lifted.store(true, Relaxed);
        }
    }
}

/// R1.
#[test]
fn endpoints_are_servers_of_their_own() {
    for (library, protocol) in servers() {
        let fixture = Fixture::new(library, protocol);
        let shared = fixture.sessions.shared_handle("test");
        let [one, other] = ["one", "other"].map(|it| shared.clone().with_endpoint(it.as_bytes()));
        for (handle, expected) in [
            (&one, Full),
            (&one, Resumed),
            (&other, Full),
            (&shared, Full),
            (&other, Resumed),
        ] {
            let resumption = handle.clone().resumption();
            let mut client = fixture.handshake(resumption, NAME).unwrap();
            client.echo();
            assert_eq!(client.kind(), expected, "{library} {protocol}");
        }
    }
}

/// A connection of `config` over `transport` that exchanges data. `false` if its handshake failed.
fn connects(config: &Arc<ClientConfig>, mut transport: FaultyTransport) -> bool {
    let name = ServerName::try_from(NAME).unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    while tls.is_handshaking() {
        if tls.complete_io(&mut transport).is_err() {
            return false;
        }
    }
    let mut stream = Stream::new(&mut tls, &mut transport);
    stream.write_all(b"request").unwrap();
    let mut answer = [0; 7];
    while let Err(error) = stream.read_exact(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    true
}

/// R28, R29: at one connection in 250 ms, with many sessions held, two of 80 fail, and never two in
/// a row.
#[test]
fn servers_that_break_resumption_are_avoided() {
    for (library, protocol) in servers() {
        for fault in [
            Fault::CloseAfterClientHello,
            Fault::CloseAfterServerHello,
            Fault::Corrupt,
        ] {
            let many = |settings: &mut ServerSettings| settings.tickets = 8;
            let fixture = Fixture::with(library, protocol, Limits::default(), many);
            let mut config = fixture.config.clone();
            config.resumption = fixture.sessions.shared_handle("test").resumption();
            let config = Arc::new(config);
            for _ in 0..8 {
                assert!(connects(
                    &config,
                    FaultyTransport::new(&fixture.server, Fault::None)
                ));
            }
            let (mut failed, mut before) = (0, false);
            for _ in 0..80 {
                fixture.clock.advance(Duration::from_millis(250));
                let transport = FaultyTransport::on_resumption(&fixture.server, fault);
                let fails = !connects(&config, transport);
                assert!(!(fails && before), "{library} {protocol} {fault:?}");
                before = fails;
                failed += u32::from(fails);
            }
            assert!(
                (1..=2).contains(&failed),
                "{failed}: {library} {protocol} {fault:?}"
            );
            let avoided = fixture.sessions.store().stats().avoided;
            assert!(avoided >= 76, "{avoided}: {library} {protocol} {fault:?}");
        }
    }
}

/// R28: connections that begin together are no failures, however long they take.
#[test]
fn bursts_to_a_healthy_server_are_not_avoided() {
    for (library, protocol) in servers() {
        let many = |settings: &mut ServerSettings| settings.tickets = 8;
        let fixture = Fixture::with(library, protocol, Limits::default(), many);
        let mut config = fixture.config.clone();
        config.resumption = fixture.sessions.shared_handle("test").resumption();
        let config = Arc::new(config);
        for _ in 0..20 {
            fixture.clock.advance(Duration::from_millis(10));
            let begun: Vec<_> = (0..64)
                .map(|_| {
                    let name = ServerName::try_from(NAME).unwrap();
                    ClientConnection::new(Arc::clone(&config), name).unwrap()
                })
                .collect();
            fixture.clock.advance(Duration::from_secs(3));
            for mut tls in begun {
                let mut transport = FaultyTransport::new(&fixture.server, Fault::None);
                while tls.is_handshaking() {
                    tls.complete_io(&mut transport).unwrap();
                }
            }
        }
        assert_eq!(fixture.sessions.store().stats().avoided, 0);
    }
}
