//! Sessions written down and read again, as in another process.

mod common;

use backend_openssl::Session;
use common::{Client, HOST, PORT, close, each, server, talk};
use lab::transport::InMemory;
use openssl::ssl::SslVerifyMode;
use store_core::{Encoded, Entry, Portable, Usage};

/// All sessions that a client has of the server, written down.
fn written(client: &Client) -> Vec<(Encoded, Entry<()>)> {
    let (store, key, now) = (client.sessions.store(), client.key(), client_now(client));
    let single_use = store.surplus(&key, 0, now);
    let all = single_use.into_iter().chain(store.reusable_copy(&key, now));
    all.map(|entry| {
        let encoded = entry.session.encode().expect("it can be written down");
        let facts = Entry {
            session: (),
            usage: entry.usage,
            established: entry.established,
            expires: entry.expires,
            weight: entry.weight,
        };
        (encoded, facts)
    })
    .collect()
}

fn client_now(client: &Client) -> store_core::Timestamp {
    client.sessions.clock().now()
}

fn read(encoded: &Encoded, facts: &Entry<()>) -> Option<Entry<Session>> {
    let (session, weight) = Session::decode(encoded, facts.usage)?;
    Some(Entry {
        session,
        usage: facts.usage,
        established: facts.established,
        expires: facts.expires,
        weight,
    })
}

fn put(client: &Client, entry: Entry<Session>) {
    let store = client.sessions.store();
    store
        .restore(&client.key(), entry, store.generation(), client_now(client))
        .expect("it is stored");
}

#[test]
fn a_session_that_was_written_down_resumes_in_another_client() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.visit(&server));
        let written = written(&first);
        assert!(!written.is_empty());
        for (encoded, facts) in &written {
            let entry = read(encoded, facts).expect("it can be read");
            assert!(entry.weight >= encoded.session.len(), "{}", entry.weight);
            let other = Client::new(protocol);
            put(&other, entry);
            assert!(other.visit(&server), "{library} {protocol:?}");
            assert!(
                other.visit(&server),
                "what a resumed connection gives is good, too"
            );
        }
    });
}

/// R4: how the peer was verified comes along.
#[test]
fn what_was_not_verified_is_not_offered_under_verification() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        assert!(!first.run_under(SslVerifyMode::NONE, &server));
        let written = written(&first);
        let entry = |written: &(Encoded, Entry<()>)| read(&written.0, &written.1).unwrap();
        let other = Client::new(protocol);
        put(&other, entry(&written[0]));
        assert!(!other.visit(&server), "{library} {protocol:?}");
        let other = Client::new(protocol);
        put(&other, entry(&written[0]));
        assert!(other.run_under(SslVerifyMode::NONE, &server));
    });
}

/// R23: whatever is changed, cut or added, nothing breaks; and what is not exactly what was
/// written is not read.
#[test]
fn what_is_not_what_was_written_is_a_miss() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let first = Client::new(protocol);
        first.visit(&server);
        let (encoded, facts) = written(&first).remove(0);
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
                decode(&session[..len], facts.usage).is_none(),
                "cut at {len}"
            );
        }
        assert!(decode(&[session, &[0]].concat(), facts.usage).is_none());
        let other_usage = match facts.usage {
            Usage::SingleUse => Usage::Reusable,
            Usage::Reusable => Usage::SingleUse,
        };
        assert!(decode(session, other_usage).is_none());
        for at in 0..session.len() {
            let mut changed = session.to_vec();
            changed[at] ^= 1;
            // Most decode: that is why records are sealed. None may break anything.
            drop(decode(&changed, facts.usage));
        }
        // The queue of errors is as it was: the next handshake is not taken for broken.
        let mut stream = common::start(&first.connector, HOST, PORT, &server);
        talk::<InMemory>(&mut stream);
        close(&mut stream);
    });
}
