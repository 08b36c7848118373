//! Sessions in their small form, and what is known of their peer.

mod common;

use backend_openssl::{PeerCertificate, Session};
use common::{Client, HOST, builder_trusting, close, each, of, server, settings, talk};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use openssl::ssl::{SslRef, SslVerifyMode};
use store_core::{Entry, Limits, Portable, Storable};

const POLICIES: [PeerCertificate; 2] = [PeerCertificate::Keep, PeerCertificate::Strip];

fn client(protocol: Protocol, policy: PeerCertificate) -> Client {
    Client::under(common::builder(protocol), Limits::default(), policy)
}

/// All sessions of the server, which leave the store, or are copied.
fn sessions(client: &Client) -> Vec<Entry<Session>> {
    let (store, key) = (client.sessions.store(), client.key());
    let now = client.sessions.clock().now();
    let single_use = store.surplus(&key, 0, now);
    let all = single_use.into_iter().chain(store.reusable_copy(&key, now));
    all.collect()
}

fn written(session: &Session) -> Vec<u8> {
    session
        .encode()
        .expect("it can be written")
        .session
        .to_vec()
}

fn chain(ssl: &SslRef) -> Vec<Vec<u8>> {
    let sent = ssl.peer_cert_chain().into_iter().flatten();
    sent.map(|one| one.to_der().unwrap()).collect()
}

fn small(entry: Entry<Session>) -> Entry<Session> {
    match entry.session.packed() {
        Some((session, weight)) => Entry {
            session,
            weight,
            ..entry
        },
        None => entry,
    }
}

/// What is packed is written down as OpenSSL writes the object itself, byte for byte; and packed
/// and unpacked any number of times.
#[test]
fn packing_loses_nothing() {
    for kind in KeyKind::ALL {
        let authority = Authority::new(kind);
        each(|library, protocol| {
            let settings = ServerSettings {
                identity: authority.issue(&[HOST]),
                ..settings(protocol)
            };
            let server = Server::new(library, &settings);
            let mut seen = Vec::new();
            for policy in POLICIES {
                let builder = builder_trusting(&authority, protocol);
                let client = Client::under(builder, Limits::default(), policy);
                let mut stream = client.start(&server);
                talk(&mut stream);
                let own = stream.ssl().session().unwrap().to_der().unwrap();
                let certificate = &chain(stream.ssl())[0];
                let sessions = sessions(&client);
                let newest = &sessions.last().unwrap().session;
                // The newest one is the connection's own.
                assert_eq!(written(newest), own, "{library} {protocol} {policy:?}");
                let contains =
                    |der: &[u8]| der.windows(certificate.len()).any(|at| at == certificate);
                assert!(contains(&own), "the premise");
                for Entry { session, .. } in &sessions {
                    let whole = written(session);
                    let keeps = policy == PeerCertificate::Keep;
                    assert_eq!(
                        session.packed().is_some(),
                        keeps,
                        "stripped ones are packed"
                    );
                    let packed = session.packed().or_else(|| {
                        let (live, _) = session.unpacked().unwrap();
                        live.packed()
                    });
                    let (packed, weight) = packed.unwrap();
                    assert!(packed.packed().is_none());
                    assert_eq!(written(&packed), whole);
                    assert!(weight < whole.len(), "{weight} of {}", whole.len());
                    let (live, weight) = packed.unpacked().expect("it can be read");
                    assert!(live.unpacked().is_none());
                    assert_eq!(written(&live), whole);
                    assert!(weight > 1_000, "{weight}");
                    assert_eq!(packed.shared_part(), session.shared_part());
                    assert_eq!(live.shared_part(), session.shared_part());
                }
                seen.extend(sessions);
                drop(stream);
            }
            // Two handshakes in two stores, and one chain.
            let chain = seen[0].session.shared_part();
            assert!(
                seen.iter()
                    .all(|entry| entry.session.shared_part() == chain)
            );
        });
    }
}

/// R7, R9, R14: packed sessions resume, and so do the sessions that they lead to, with renewals of
/// TLS 1.2, too; and the whole chain is known all the time.
#[test]
fn packed_sessions_resume() {
    each(|library, protocol| {
        let server = server(library, protocol);
        for policy in POLICIES {
            let client = client(protocol, policy);
            let mut full = client.start(&server);
            talk(&mut full);
            let sent = chain(full.ssl());
            assert!(sent.len() > 1 && of(&full).offered_chain().is_none());
            close(&mut full);
            for round in 0..4 {
                // All there is in its small form.
                let packed: Vec<_> = sessions(&client).into_iter().map(small).collect();
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
                talk(&mut stream);
                assert!(
                    stream.ssl().session_reused(),
                    "{library} {protocol} {round}"
                );
                let known = of(&stream).offered_chain().expect("it was offered");
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

/// Clients of two policies that have one store use each other's sessions, which become what the
/// policy of their connection says.
#[test]
fn policies_meet_in_one_store() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let keep = client(protocol, PeerCertificate::Keep);
        let sessions = keep.sessions.clone();
        let strip = sessions.with_peer_certificate(PeerCertificate::Strip);
        let strip = Client {
            connector: strip
                .attach(common::builder(protocol), common::domain("one"))
                .unwrap(),
            sessions: strip,
            clock: keep.clock.clone(),
        };
        assert!(!keep.visit(&server));
        let mut weights = Vec::new();
        for client in [&strip, &keep, &strip, &keep] {
            let mut stream = client.start(&server);
            talk(&mut stream);
            assert!(stream.ssl().session_reused(), "{protocol}");
            assert_eq!(of(&stream).offered_chain().unwrap().iter().count(), 2);
            close(&mut stream);
            let now = client.sessions.clock().now();
            let offer = client.sessions.store().offer(&client.key(), now).unwrap();
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

/// R4: what the small form knows of verification is what the session knew.
#[test]
fn packed_sessions_are_verified_as_they_were() {
    each(|library, protocol| {
        let server = server(library, protocol);
        for policy in POLICIES {
            let client = client(protocol, policy);
            let store = client.sessions.store();
            let now = client.sessions.clock().now();
            assert!(!client.run_under(SslVerifyMode::NONE, &server));
            for entry in sessions(&client).into_iter().map(small) {
                let put = store.restore(&client.key(), entry, store.generation(), now);
                put.unwrap();
            }
            assert!(!client.visit(&server), "{library} {protocol}");
            assert!(client.visit(&server));
        }
    });
}

/// Under `Strip` a full handshake's session is packed at once; what it leads to has nothing to strip
/// and is ready.
#[test]
fn what_a_stripped_session_leads_to_is_ready() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let client = client(protocol, PeerCertificate::Strip);
        for (resumed, ready) in [(false, false), (true, true), (true, true)] {
            assert_eq!(client.visit(&server), resumed);
            let store = client.sessions.store();
            let now = client.sessions.clock().now();
            let offer = store.offer(&client.key(), now).unwrap();
            let Entry { session, .. } = &offer.entry;
            // A reusable one is made ready by being asked for.
            let ready = ready || protocol == Protocol::Tls12;
            assert_eq!(session.packed().is_some(), ready, "{protocol}");
            assert!(offer.entry.weight < 2_000, "{}", offer.entry.weight);
            let generation = store.generation();
            store
                .put(&client.key(), offer.entry, generation, now)
                .unwrap();
        }
    }
}
