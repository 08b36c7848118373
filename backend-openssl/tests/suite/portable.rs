//! Sessions encoded and decoded, as by another process.

use backend_openssl::Session;
use lab::transport::InMemory;
use openssl::ssl::SslVerifyMode;
use store_core::tier::TierAccess;
use store_core::{Encoded, Entry, Portable, Protocol, Usage};

use crate::client::{Client, HOST, PORT, close, echo, for_each_server, server};

/// All sessions of the server in a client's store, encoded.
fn encoded_sessions(client: &Client) -> Vec<(Encoded, Entry<()>)> {
    let (store, key, now) = (client.sessions.store(), client.key(), now(client));
    let single_use = store.surplus(&key, 0, now);
    let all = single_use.into_iter().chain(store.reusable_copy(&key, now));
    all.map(|entry| {
        let encoded = entry.session.encode().expect("it encodes");
        let metadata = Entry {
            session: (),
            usage: entry.usage,
            established: entry.established,
            expires: entry.expires,
            weight: entry.weight,
            ticket_bytes: entry.ticket_bytes,
            address: entry.address,
        };
        (encoded, metadata)
    })
    .collect()
}

fn now(client: &Client) -> store_core::Timestamp {
    client.sessions.clock().now()
}

fn decode(encoded: &Encoded, metadata: &Entry<()>) -> Option<Entry<Session>> {
    let (session, weight) = Session::decode(encoded, metadata.usage)?;
    Some(Entry {
        session,
        usage: metadata.usage,
        established: metadata.established,
        expires: metadata.expires,
        weight,
        ticket_bytes: metadata.ticket_bytes,
        address: metadata.address,
    })
}

fn put(client: &Client, entry: Entry<Session>) {
    let store = client.sessions.store();
    store
        .restore(&client.key(), entry, store.generation(), now(client))
        .expect("the store accepts it");
}

#[test]
fn a_decoded_session_resumes_in_another_client() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.visit(&server));
        let sessions = encoded_sessions(&first);
        assert!(!sessions.is_empty());
        for (encoded, metadata) in &sessions {
            let entry = decode(encoded, metadata).expect("it decodes");
            assert!(entry.weight >= encoded.session.len(), "{}", entry.weight);
            let other = Client::new(protocol);
            put(&other, entry);
            assert!(other.visit(&server), "{library} {protocol:?}");
            assert!(
                other.visit(&server),
                "the sessions of the resumed connection resume, too"
            );
        }
    });
}

/// The session of a ticket is encoded without its id.
#[test]
fn a_decoded_session_can_be_declined() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.visit(&server));
        server.rotate_keys();
        for (encoded, metadata) in &encoded_sessions(&first) {
            let other = Client::new(protocol);
            put(&other, decode(encoded, metadata).expect("it decodes"));
            assert!(!other.visit(&server), "{library} {protocol:?}");
            assert_eq!(other.stats().declined, 1);
            assert!(other.visit(&server));
        }
    });
}

/// R4: the verification is encoded with the session.
#[test]
fn a_decoded_unverified_session_is_not_offered_under_verification() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.visit_with_mode(SslVerifyMode::NONE, &server));
        let sessions = encoded_sessions(&first);
        let (encoded, metadata) = &sessions[0];
        let entry = || decode(encoded, metadata).unwrap();
        let other = Client::new(protocol);
        put(&other, entry());
        assert!(!other.visit(&server), "{library} {protocol:?}");
        let other = Client::new(protocol);
        put(&other, entry());
        assert!(other.visit_with_mode(SslVerifyMode::NONE, &server));
    });
}

/// R23: changed, cut or extended bytes do no harm, and only the exact encoding decodes.
#[test]
fn a_damaged_encoding_is_a_miss_or_does_no_harm() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        first.visit(&server);
        let (encoded, metadata) = encoded_sessions(&first).remove(0);
        let decode = |session: &[u8], usage| {
            let encoded = Encoded {
                facts: encoded.facts.clone(),
                session: session.to_vec().into(),
            };
            Session::decode(&encoded, usage)
        };
        let session = encoded.session.as_slice();
        for len in 0..session.len() {
            assert!(
                decode(&session[..len], metadata.usage).is_none(),
                "cut at {len}"
            );
        }
        assert!(decode(&[session, &[0]].concat(), metadata.usage).is_none());
        // A ticket may be of either usage.
        let single_use = decode(session, Usage::SingleUse);
        assert_eq!(single_use.is_some(), protocol == Protocol::Tls13);
        for at in 0..session.len() {
            let mut changed = session.to_vec();
            changed[at] ^= 1;
            // Most decode, which is why records are sealed. None may panic or crash.
            drop(decode(&changed, metadata.usage));
        }
        // Errors left in the queue would break the next handshake.
        let mut stream = crate::client::start(&first.connector, HOST, PORT, &server);
        echo::<InMemory>(&mut stream);
        close(&mut stream);
    });
}

/// R13: OpenSSL 3.0 silently does not offer a session from the future.
#[test]
fn a_session_of_a_machine_whose_clock_is_ahead_resumes() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.visit(&server));
        let sessions = encoded_sessions(&first);
        let other = Client::new(protocol);
        for (mut encoded, metadata) in sessions {
            set_back(&mut encoded.session, -5);
            put(&other, decode(&encoded, &metadata).expect("it decodes"));
        }
        assert!(other.visit(&server), "{library} {protocol}");
    });
}

/// Changes when a session was received: `[1]` with an INTEGER of four bytes, in OpenSSL's DER.
fn set_back(der: &mut [u8], seconds: i32) {
    const TIME: [u8; 4] = [0xa1, 0x06, 0x02, 0x04];
    let start = der.windows(4).position(|window| window == TIME);
    let start = start.expect("the time of a session") + TIME.len();
    let time = der[start..].first_chunk_mut().expect("four bytes");
    *time = (i32::from_be_bytes(*time) - seconds).to_be_bytes();
}
