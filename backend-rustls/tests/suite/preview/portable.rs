//! Lifetimes and encoding of sessions, which only the rustls preview has.

use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, ServerResumption};
use store_core::{Encoded, Entry, Limits, Portable, Storable, Usage, Want};
use zeroize::Zeroizing;

use super::client::HandshakeKind::{Full, Resumed};
use super::client::{Session, Sessions, config, handshake};
use super::fixture::{Fixture, NAME, servers};

/// One session of a new connection, encoded.
fn encoded_session(fixture: &Fixture) -> (Encoded, Usage) {
    fixture.visit();
    let offer = fixture
        .sessions
        .store()
        .offer(&fixture.key(), Want::Any, fixture.now(), |_| true);
    let entry = offer.expect("a session").entry;
    (entry.session.encode().expect("bytes"), entry.usage)
}

/// R25, R27: with another store, configuration and verifier.
#[test]
fn a_decoded_session_resumes_in_another_client() {
    for (library, protocol) in servers() {
        for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
            let fixture = Fixture::with(library, protocol, Limits::default(), |settings| {
                settings.resumption = resumption;
            });
            let (encoded, usage) = encoded_session(&fixture);
            let (session, weight) = Session::decode(&encoded, usage).expect("a session");

            let sessions = Sessions::with_clock(Limits::default(), fixture.clock.clone()).unwrap();
            let store = sessions.store();
            let entry = Entry::new(session, usage, None, weight, fixture.now());
            let begun = store.generation();
            store
                .put(&fixture.key(), entry, begun, fixture.now())
                .unwrap();
            let connection = sessions.connection(fixture.key());
            let mut config = config(protocol, &fixture.authority);
            config.resumption = connection.resumption();
            let mut client = handshake(&fixture.server, config, NAME).unwrap();
            connection.settle(client.kind());
            client.echo();
            let case = format!("{library} {protocol} {resumption:?}");
            assert_eq!(client.kind(), Resumed, "{case}");
            assert!(client.transport.server().facts().unwrap().resumed, "{case}");
            assert_eq!(store.stats().resumed, 1);
        }
    }
}

/// R23: a session that decodes encodes to the same bytes.
#[test]
fn a_damaged_session_is_a_miss_or_encodes_the_same() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        let (encoded, usage) = encoded_session(&fixture);
        let decode = |bytes: &[u8]| {
            let session = Zeroizing::new(bytes.to_vec());
            let facts = encoded.facts.clone();
            Session::decode(&Encoded { facts, session }, usage)
        };
        let bytes: &[u8] = &encoded.session;
        let again = |session: &Session| session.encode().unwrap().session;
        assert_eq!(*again(&decode(bytes).unwrap().0), bytes);

        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "{length}");
        }
        for more in [&[0][..], &[0, 0], bytes] {
            assert!(decode(&[bytes, more].concat()).is_none());
        }
        let mut decoded = 0;
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                if let Some((session, weight)) = decode(&damaged) {
                    assert_eq!(*again(&session), damaged, "{at} {flip}");
                    let certificates = session.shared_part().map_or(0, |shared| shared.bytes);
                    assert!(weight + certificates > damaged.len());
                    decoded += 1;
                }
            }
        }
        // Most bytes belong to secrets and certificates, where every value is valid.
        assert!(decoded > bytes.len(), "{decoded}");
    }
}

/// R23: it fails or is full, without a panic.
#[test]
fn a_handshake_with_a_damaged_session_ends() {
    // The bytes before the certificates.
    const BYTES: usize = 400;
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        let (encoded, usage) = encoded_session(&fixture);
        fixture.sessions.store().clear();
        for position in 0..BYTES {
            let mut damaged = encoded.clone();
            damaged.session[position] ^= 0xff;
            let Some((session, weight)) = Session::decode(&damaged, usage) else {
                continue;
            };
            let entry = Entry::new(session, usage, None, weight, fixture.now());
            let store = fixture.sessions.store();
            // Failures before are forgotten.
            store.clear_server(&fixture.key());
            let begun = store.generation();
            store
                .put(&fixture.key(), entry, begun, fixture.now())
                .unwrap();
            let connection = fixture.connection();
            if let Ok(mut client) = fixture.handshake(connection.resumption(), NAME) {
                client.echo();
                assert!(connection.offered(), "{position}");
            }
        }
    }
}

/// A TLS 1.2 session is not single-use, a ticket may be of either usage. With another version beside it
/// neither decodes.
#[test]
fn a_session_decodes_with_a_usage_of_its_version_only() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        let (encoded, usage) = encoded_session(&fixture);
        assert!(Session::decode(&encoded, usage).is_some());
        assert!(Session::decode(&encoded, Usage::Reusable).is_some());
        let single_use = Session::decode(&encoded, Usage::SingleUse);
        assert_eq!(single_use.is_some(), protocol == Protocol::Tls13);
        for facts in [&[][..], &[0], &[3, 4], &[4, 3]] {
            let facts = facts.to_vec();
            let encoded = Encoded {
                facts,
                ..encoded.clone()
            };
            assert!(Session::decode(&encoded, usage).is_none());
        }
    }
}

/// A lifetime that rustls never encodes would overflow its arithmetic.
#[test]
fn a_lifetime_that_rustls_does_not_encode_is_not_decoded() {
    const LIFETIME: u64 = 4_321;
    for protocol in Protocol::ALL {
        let fixture = Fixture::with(Library::Rustls, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(Duration::from_secs(LIFETIME));
        });
        let (encoded, usage) = encoded_session(&fixture);
        let position = encoded
            .session
            .windows(8)
            .position(|window| window == LIFETIME.to_be_bytes())
            .expect("the lifetime");
        let week = 7 * 24 * 60 * 60;
        for (lifetime, decodes) in [
            (1, true),
            (week, true),
            (week + 1, false),
            (u64::MAX, false),
            // "Unspecified" in TLS 1.2, "do not store" in TLS 1.3.
            (0, protocol == Protocol::Tls12),
        ] {
            let mut encoded = encoded.clone();
            encoded.session[position..position + 8].copy_from_slice(&lifetime.to_be_bytes());
            let session = Session::decode(&encoded, usage);
            assert_eq!(session.is_some(), decodes, "{protocol} {lifetime}");
            if let Some((session, _)) = session {
                assert_eq!(session.lifetime(), Duration::from_secs(lifetime));
            }
        }
    }
}

/// R11: even if the protocol allows more.
#[test]
fn a_session_lives_as_long_as_its_server_says() {
    const LIFETIME: Duration = Duration::from_secs(4_321);
    for (library, protocol) in servers() {
        let fixture = Fixture::with(library, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(LIFETIME);
        });
        let connection = fixture.connection();
        assert_eq!(connection.lifetime(), None);
        fixture.exchange(&connection);
        assert_eq!(
            connection.lifetime(),
            Some(LIFETIME),
            "{library} {protocol}"
        );
        fixture.clock.advance(Duration::from_secs(4_320));
        assert_eq!(fixture.visit(), Resumed, "{library} {protocol}");

        let fixture = Fixture::with(library, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(LIFETIME);
        });
        fixture.visit();
        fixture.clock.advance(LIFETIME);
        assert_eq!(fixture.visit(), Full, "{library} {protocol}");
    }
}

/// R1: rustls itself does not reject a session of another verifier. If this test fails, it does, and
/// the documentation of `preview` has to change.
#[test]
fn only_the_domain_separates_verifiers() {
    for protocol in Protocol::ALL {
        let fixture = Fixture::new(Library::Rustls, protocol);
        fixture.visit();
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let connection = fixture.connection();
        let mut config = config(protocol, &stranger);
        config.resumption = connection.resumption();
        let client = handshake(&fixture.server, config, NAME)
            .expect("a resumed handshake verifies no certificate");
        assert_eq!(client.kind(), Resumed);
    }
}
