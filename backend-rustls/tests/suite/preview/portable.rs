//! What only the next rustls shows: lifetimes, and sessions that leave their process.

use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, ServerResumption};
use store_core::{Encoded, Entry, Limits, Portable, Storable, Usage};
use zeroize::Zeroizing;

use super::client::HandshakeKind::{Full, Resumed};
use super::client::{Session, Sessions, config, shake};
use super::world::{NAME, World, all};

/// One session of a fresh visit, written down.
fn written(world: &World) -> (Encoded, Usage) {
    world.visit();
    let offer = world.sessions.store().offer(&world.key(), world.now());
    let entry = offer.expect("a session").entry;
    (entry.session.encode().expect("bytes"), entry.usage)
}

/// R25, R27: the server resumes what another store, config and verifier have read.
#[test]
fn a_session_that_was_written_down_resumes_elsewhere() {
    for (library, protocol) in all() {
        for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
            let world = World::with(library, protocol, Limits::default(), |settings| {
                settings.resumption = resumption;
            });
            let (encoded, usage) = written(&world);
            let (session, weight) = Session::decode(&encoded, usage).expect("what was written");

            let elsewhere = Sessions::with_clock(Limits::default(), world.clock.clone()).unwrap();
            let store = elsewhere.store();
            let entry = Entry::new(session, usage, None, weight, world.now());
            let begun = store.generation();
            store.put(&world.key(), entry, begun, world.now()).unwrap();
            let connection = elsewhere.connection(world.key());
            let mut config = config(protocol, &world.authority);
            config.resumption = connection.resumption();
            let mut client = shake(&world.server, config, NAME).unwrap();
            connection.settle(client.kind());
            client.echo();
            let case = format!("{library} {protocol} {resumption:?}");
            assert_eq!(client.kind(), Resumed, "{case}");
            assert!(client.transport.server().facts().unwrap().resumed, "{case}");
            assert_eq!(store.stats().resumed, 1);
        }
    }
}

/// R23: what is not exactly what was written is nothing, and harms nothing.
#[test]
fn what_is_damaged_is_a_miss_or_what_it_says() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        let (encoded, usage) = written(&world);
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
        let mut read = 0;
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                if let Some((session, weight)) = decode(&damaged) {
                    assert_eq!(*again(&session), damaged, "{at} {flip}");
                    let certificates = session.shared_part().map_or(0, |shared| shared.bytes);
                    assert!(weight + certificates > damaged.len());
                    read += 1;
                }
            }
        }
        // Most bytes are secrets and certificates, which may be any.
        assert!(read > bytes.len(), "{read}");
    }
}

/// And when it says something else, a handshake with it goes wrong or is a full one: no panic.
#[test]
fn a_handshake_with_a_damaged_session_ends() {
    // Among all that is not the certificates at the end.
    const PLACES: usize = 400;
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        let (encoded, usage) = written(&world);
        world.sessions.store().clear();
        for place in 0..PLACES {
            let mut damaged = encoded.clone();
            damaged.session[place] ^= 0xff;
            let Some((session, weight)) = Session::decode(&damaged, usage) else {
                continue;
            };
            let entry = Entry::new(session, usage, None, weight, world.now());
            let store = world.sessions.store();
            let begun = store.generation();
            store.put(&world.key(), entry, begun, world.now()).unwrap();
            let connection = world.connection();
            if let Ok(mut client) = world.shake(connection.resumption(), NAME) {
                client.echo();
                assert!(connection.offered(), "{place}");
            }
        }
    }
}

/// A record of the other version, or with facts of another kind, is not read.
#[test]
fn a_session_is_read_as_what_it_is() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        let (encoded, usage) = written(&world);
        let other = match usage {
            Usage::SingleUse => Usage::Reusable,
            Usage::Reusable => Usage::SingleUse,
        };
        assert!(Session::decode(&encoded, usage).is_some());
        assert!(Session::decode(&encoded, other).is_none());
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

/// A lifetime that rustls never writes would have it do sums with ages that it cannot bear.
#[test]
fn a_lifetime_that_rustls_does_not_write_is_not_read() {
    const LIFETIME: u64 = 4_321;
    for protocol in Protocol::ALL {
        let world = World::with(Library::Rustls, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(Duration::from_secs(LIFETIME));
        });
        let (encoded, usage) = written(&world);
        let place = encoded
            .session
            .windows(8)
            .position(|window| window == LIFETIME.to_be_bytes())
            .expect("the lifetime");
        let week = 7 * 24 * 60 * 60;
        for (lifetime, reads) in [
            (1, true),
            (week, true),
            (week + 1, false),
            (u64::MAX, false),
            // "Not said" in TLS 1.2, "do not keep" in TLS 1.3.
            (0, protocol == Protocol::Tls12),
        ] {
            let mut encoded = encoded.clone();
            encoded.session[place..place + 8].copy_from_slice(&lifetime.to_be_bytes());
            let session = Session::decode(&encoded, usage);
            assert_eq!(session.is_some(), reads, "{protocol} {lifetime}");
            if let Some((session, _)) = session {
                assert_eq!(session.lifetime(), Duration::from_secs(lifetime));
            }
        }
    }
}

/// R11: by the server's word, not by the protocol's bound.
#[test]
fn a_session_lives_as_long_as_its_server_says() {
    const LIFETIME: Duration = Duration::from_secs(4_321);
    for (library, protocol) in all() {
        let world = World::with(library, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(LIFETIME);
        });
        let connection = world.connection();
        assert_eq!(connection.lifetime(), None);
        world.exchange(&connection);
        assert_eq!(
            connection.lifetime(),
            Some(LIFETIME),
            "{library} {protocol}"
        );
        world.clock.advance(Duration::from_secs(4_320));
        assert_eq!(world.visit(), Resumed, "{library} {protocol}");

        let world = World::with(library, protocol, Limits::default(), |settings| {
            settings.lifetime = Some(LIFETIME);
        });
        world.visit();
        world.clock.advance(LIFETIME);
        assert_eq!(world.visit(), Full, "{library} {protocol}");
    }
}

/// R1: rustls itself refuses no session for the verifier's sake, so all rests on the key. If this
/// fails, rustls has become more careful, and the module's documentation should say so.
#[test]
fn nothing_but_the_domain_tells_verifiers_apart() {
    for protocol in Protocol::ALL {
        let world = World::new(Library::Rustls, protocol);
        world.visit();
        let stranger = Authority::new(KeyKind::EcdsaP256);
        let connection = world.connection();
        let mut config = config(protocol, &stranger);
        config.resumption = connection.resumption();
        let client = shake(&world.server, config, NAME).expect("no certificate was looked at");
        assert_eq!(client.kind(), Resumed);
    }
}
