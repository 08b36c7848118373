//! What an application keeps beside sessions.

use lab::server::Protocol;
use tls_resume::generic::{Connector, Stream};
use tls_resume::{ApplicationData, Backend, Resumption};

use super::clients::{Memory, client, start, talk, visit_in_memory};
#[cfg(all(feature = "lmdb", feature = "redis"))]
use super::shared_stores::StoreDir;
#[cfg(all(feature = "lmdb", feature = "redis"))]
use crate::servers::LONG;
use crate::servers::{HOST, PORT, each, good_server, server};
#[cfg(all(feature = "lmdb", feature = "redis"))]
use tls_resume::Shareable;

fn kept<B: Backend>(stream: &Stream<B, Memory>) -> Option<Vec<u8>> {
    stream.application_data().map(|data| data.to_vec())
}

fn keep<B: Backend>(stream: &Stream<B, Memory>, data: &[u8]) {
    stream.set_application_data(data).expect("it fits");
}

/// It comes back with each session, and goes on to those that descend from it.
pub(crate) fn application_data_comes_back_with_the_session<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        let first = visit_in_memory(&client, &server);
        assert_eq!(kept(&first), None);
        keep(&first, b"one");
        assert_eq!(kept(&first).as_deref(), Some(&b"one"[..]));
        drop(first);
        for _ in 0..5 {
            let stream = visit_in_memory(&client, &server);
            assert_eq!(stream.resumption(), Resumption::Resumed);
            assert_eq!(kept(&stream).as_deref(), Some(&b"one"[..]), "{library}");
        }
        let changed = visit_in_memory(&client, &server);
        keep(&changed, b"two");
        drop(changed);
        let next = visit_in_memory(&client, &server);
        assert_eq!(kept(&next).as_deref(), Some(&b"two"[..]), "{version:?}");
        keep(&next, b"");
        assert_eq!(kept(&next), None);
        drop(next);
        let last = visit_in_memory(&client, &server);
        assert_eq!(
            (last.resumption(), kept(&last)),
            (Resumption::Resumed, None)
        );
    });
}

/// Tickets that arrive after it is set have it, too.
pub(crate) fn late_tickets_have_the_application_data<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    let mut stream = start(&client, &server);
    keep(&stream, b"before the tickets");
    assert_eq!(client.stats().sessions, 0);
    talk(&mut stream);
    assert_eq!(client.stats().sessions, 2);
    for _ in 0..2 {
        let next = start(&client, &server);
        assert_eq!(kept(&next).as_deref(), Some(&b"before the tickets"[..]));
    }
}

/// A connection that is not resumed has none, whatever it offered.
pub(crate) fn a_declined_session_gives_no_application_data<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        keep(&visit_in_memory(&client, &server), b"of the old keys");
        server.rotate_keys();
        let declined = visit_in_memory(&client, &server);
        assert_eq!(declined.resumption(), Resumption::Declined, "{library}");
        assert_eq!(kept(&declined), None, "{library} {version:?}");
        drop(declined);
        // The newest session is of the new keys.
        let next = visit_in_memory(&client, &server);
        assert_eq!(
            (next.resumption(), kept(&next)),
            (Resumption::Resumed, None)
        );
    });
}

pub(crate) fn servers_and_partitions_have_their_own_application_data<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    let visit = |client: &Connector<B>| visit_in_memory(client, &server);
    let [a, b] = ["a", "b"].map(|name| client.partition(name));
    keep(&visit(&a), b"of a");
    keep(&visit(&b), b"of b");
    assert_eq!(kept(&visit(&a)).as_deref(), Some(&b"of a"[..]));
    assert_eq!(kept(&visit(&b)).as_deref(), Some(&b"of b"[..]));
    assert_eq!(kept(&visit(&client)), None);
}

/// R16.
pub(crate) fn application_data_is_bounded_and_counted<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let stream = visit_in_memory(&client, &server);
        let before = client.stats();
        let longest = [7; ApplicationData::MAX];
        keep(&stream, &longest);
        let after = client.stats();
        let added = after.bytes - before.bytes;
        let data = ApplicationData::MAX as u64 * after.sessions;
        assert!(
            (data..data + 100 * after.sessions).contains(&added),
            "{added}"
        );
        let error = stream.set_application_data(&[7; ApplicationData::MAX + 1]);
        assert!(error.expect_err("too long").to_string().contains("1,024"));
        assert_eq!(kept(&stream).as_deref(), Some(&longest[..]), "as before");
        keep(&stream, b"");
        assert_eq!(client.stats().bytes, before.bytes);
    }
}

/// R4, R22.
pub(crate) fn revoked_sessions_keep_no_application_data<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    let mut stream = visit_in_memory(&client, &server);
    client.clear_server(HOST, PORT);
    keep(&stream, b"too late");
    talk(&mut stream);
    assert_eq!(client.stats().sessions, 0);
    let next = visit_in_memory(&client, &server);
    assert_eq!((next.resumption(), kept(&next)), (Resumption::Full, None));
    next.forget();
    keep(&next, b"too late");
    assert_eq!(kept(&visit_in_memory(&client, &server)), None);
}

/// A TLS 1.2 session that is in the tier already is written again.
#[cfg(all(feature = "lmdb", feature = "redis"))]
pub(crate) fn application_data_goes_through_the_tier<B: Shareable>() {
    const DATA: &[u8] = b"what the server said once";
    each(|library, version| {
        let (dir, server) = (StoreDir::new(), server(library, version));
        let client = dir.client::<B>();
        let mut stream = start(&client, &server);
        if version == Protocol::Tls12 {
            assert!(client.flush(LONG));
        }
        keep(&stream, DATA);
        talk(&mut stream);
        drop((stream, client));
        let other = dir.client::<B>();
        let resumed = visit_in_memory(&other, &server);
        assert_eq!(resumed.resumption(), Resumption::Resumed, "{library}");
        assert_eq!(
            kept(&resumed).as_deref(),
            Some(DATA),
            "{library} {version:?}"
        );
    });
}
