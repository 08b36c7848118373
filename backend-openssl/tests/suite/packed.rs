//! Packed sessions, and what they keep of their peer.

use backend_openssl::{PeerCertificate, Session};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use openssl::ssl::{SslRef, SslVerifyMode};
use store_core::tier::TierAccess;
use store_core::{Entry, Limits, Portable, Storable, Want};

use crate::client::{
    Client, HOST, builder_trusting, close, connection_of, echo, for_each_server, server, settings,
};

const POLICIES: [PeerCertificate; 2] = [PeerCertificate::Keep, PeerCertificate::Strip];

fn client(protocol: Protocol, policy: PeerCertificate) -> Client {
    Client::with_policy(crate::client::builder(protocol), Limits::default(), policy)
}

/// All sessions of the server: single-use ones taken out of the store, the reusable one copied.
fn sessions(client: &Client) -> Vec<Entry<Session>> {
    let (store, key) = (client.sessions.store(), client.key());
    let now = client.sessions.clock().now();
    let single_use = store.surplus(&key, 0, now);
    let all = single_use.into_iter().chain(store.reusable_copy(&key, now));
    all.collect()
}

fn encoded(session: &Session) -> Vec<u8> {
    session.encode().expect("it encodes").session.to_vec()
}

fn chain(ssl: &SslRef) -> Vec<Vec<u8>> {
    let sent = ssl.peer_cert_chain().into_iter().flatten();
    sent.map(|one| one.to_der().unwrap()).collect()
}

fn packed(entry: Entry<Session>) -> Entry<Session> {
    match entry.session.packed() {
        Some((session, weight)) => Entry {
            session,
            weight,
            ..entry
        },
        None => entry,
    }
}

/// A packed session encodes to the bytes of OpenSSL's own object, however often it is packed and
/// unpacked.
#[test]
fn packing_loses_nothing() {
    for kind in KeyKind::ALL {
        let authority = Authority::new(kind);
        for_each_server(|library, protocol| {
            let settings = ServerSettings {
                identity: authority.issue(&[HOST]),
                ..settings(protocol)
            };
            let server = Server::new(library, &settings);
            let mut seen = Vec::new();
            for policy in POLICIES {
                let builder = builder_trusting(&authority, protocol);
                let client = Client::with_policy(builder, Limits::default(), policy);
                let mut stream = client.start(&server);
                echo(&mut stream);
                let own = stream.ssl().session().unwrap().to_der().unwrap();
                let certificate = &chain(stream.ssl())[0];
                let sessions = sessions(&client);
                let newest = &sessions.last().unwrap().session;
                // The newest session is the one that the connection holds.
                assert_eq!(encoded(newest), own, "{library} {protocol} {policy:?}");
                let contains =
                    |der: &[u8]| der.windows(certificate.len()).any(|at| at == certificate);
                assert!(contains(&own), "OpenSSL encodes the certificate");
                for Entry { session, .. } in &sessions {
                    let whole = encoded(session);
                    let keeps = policy == PeerCertificate::Keep;
                    assert_eq!(
                        session.packed().is_some(),
                        keeps,
                        "stripped sessions are packed already"
                    );
                    let packed = session.packed().or_else(|| {
                        let (live, _) = session.unpacked().unwrap();
                        live.packed()
                    });
                    let (packed, weight) = packed.unwrap();
                    assert!(packed.packed().is_none());
                    assert_eq!(encoded(&packed), whole);
                    assert!(weight < whole.len(), "{weight} of {}", whole.len());
                    let (live, weight) = packed.unpacked().expect("it decodes");
                    assert!(live.unpacked().is_none());
                    assert_eq!(encoded(&live), whole);
                    assert!(weight > 1_000, "{weight}");
                    assert_eq!(packed.shared_part(), session.shared_part());
                    assert_eq!(live.shared_part(), session.shared_part());
                }
                seen.extend(sessions);
                drop(stream);
            }
            // Two handshakes in two stores share one chain.
            let chain = seen[0].session.shared_part();
            assert!(
                seen.iter()
                    .all(|entry| entry.session.shared_part() == chain)
            );
        });
    }
}

/// R7, R9, R14: packed sessions resume, and so do the sessions of those resumptions, TLS 1.2 renewals
/// included; and the whole chain stays known.
#[test]
fn packed_sessions_resume() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        for policy in POLICIES {
            let client = client(protocol, policy);
            let mut full = client.start(&server);
            echo(&mut full);
            let sent = chain(full.ssl());
            assert!(sent.len() > 1 && connection_of(&full).offered_chain().is_none());
            close(&mut full);
            for round in 0..4 {
                // Every session of the store, packed.
                let packed: Vec<_> = sessions(&client).into_iter().map(packed).collect();
                let store = client.sessions.store();
                store.clear();
                let now = client.sessions.clock().now();
                for entry in packed {
                    let generation = store.generation();
                    store
                        .restore(&client.key(), entry, generation, now)
                        .unwrap();
                }
                let mut stream = client.start(&server);
                echo(&mut stream);
                assert!(
                    stream.ssl().session_reused(),
                    "{library} {protocol} {round}"
                );
                let known = connection_of(&stream)
                    .offered_chain()
                    .expect("a session was offered");
                assert!(known.iter().eq(sent.iter().map(Vec::as_slice)));
                let own = stream.ssl().peer_certificate();
                match policy {
                    PeerCertificate::Keep => assert_eq!(own.unwrap().to_der().unwrap(), sent[0]),
                    PeerCertificate::Strip => assert!(own.is_none()),
                }
                if round % 2 == 0 {
                    close(&mut stream);
                }
            }
        }
    });
}

/// Clients with different policies on one store use each other's sessions. A session received takes
/// the policy of its connection.
#[test]
fn clients_of_both_policies_share_a_store() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let keep = client(protocol, PeerCertificate::Keep);
        let sessions = keep.sessions.clone();
        let strip = sessions.with_peer_certificate(PeerCertificate::Strip);
        let strip = Client {
            connector: strip
                .attach(
                    crate::client::builder(protocol),
                    crate::client::domain("one"),
                )
                .unwrap(),
            sessions: strip,
            clock: keep.clock.clone(),
        };
        assert!(!keep.visit(&server));
        let mut weights = Vec::new();
        for client in [&strip, &keep, &strip, &keep] {
            let mut stream = client.start(&server);
            echo(&mut stream);
            assert!(stream.ssl().session_reused(), "{protocol}");
            assert_eq!(
                connection_of(&stream)
                    .offered_chain()
                    .unwrap()
                    .iter()
                    .count(),
                2
            );
            close(&mut stream);
            let now = client.sessions.clock().now();
            let offer = client
                .sessions
                .store()
                .offer(&client.key(), Want::Any, now, |_| true)
                .unwrap();
            weights.push(offer.entry.weight);
            let generation = client.sessions.store().generation();
            let store = client.sessions.store();
            store
                .put(&client.key(), offer.entry, generation, now)
                .unwrap();
        }
        assert!(weights[0] < 2_000, "{weights:?}");
    }
}

/// R4: a packed session keeps the verification of the session.
#[test]
fn packing_keeps_the_verification() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        for policy in POLICIES {
            let client = client(protocol, policy);
            let store = client.sessions.store();
            let now = client.sessions.clock().now();
            assert!(!client.visit_with_mode(SslVerifyMode::NONE, &server));
            for entry in sessions(&client).into_iter().map(packed) {
                let put = store.restore(&client.key(), entry, store.generation(), now);
                put.unwrap();
            }
            assert!(!client.visit(&server), "{library} {protocol}");
            assert!(client.visit(&server));
        }
    });
}

/// Under `Strip` the session of a full handshake is packed at once. The sessions of its resumptions
/// have no certificate and stay unpacked.
#[test]
fn sessions_resumed_from_a_stripped_one_stay_unpacked() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let client = client(protocol, PeerCertificate::Strip);
        for (resumed, unpacked) in [(false, false), (true, true), (true, true)] {
            assert_eq!(client.visit(&server), resumed);
            let store = client.sessions.store();
            let now = client.sessions.clock().now();
            let offer = store
                .offer(&client.key(), Want::Any, now, |_| true)
                .unwrap();
            let Entry { session, .. } = &offer.entry;
            // Offering a reusable session unpacks it.
            let unpacked = unpacked || protocol == Protocol::Tls12;
            assert_eq!(session.packed().is_some(), unpacked, "{protocol}");
            let objects = 1 + usize::from(protocol == Protocol::Tls12); // with a spare copy
            let weight = offer.entry.weight;
            assert!(weight < objects * 1_500, "{weight}");
            let generation = store.generation();
            store
                .put(&client.key(), offer.entry, generation, now)
                .unwrap();
        }
    }
}

/// R16: with many servers, most sessions are packed.
#[test]
fn sessions_of_servers_that_are_not_in_use_are_packed() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = client(protocol, PeerCertificate::Keep);
        for port in 1..=400 {
            crate::client::visit(&client.connector, HOST, port, &server);
        }
        let stats = client.stats();
        let mean = stats.bytes / stats.sessions;
        // 128 of them stay unpacked, of some 20,000 bytes each, with their server.
        let most = (128 * 20_000 + (stats.sessions - 128) * 3_000) / stats.sessions;
        assert!(mean < most, "{protocol}: {mean} of {most}");
    }
}
