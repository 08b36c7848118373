//! The second connection resumes, and says so.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use lab::server::{Library, Server, ServerSettings};
use tls_resume::{Backend, Protocol, Resumption};

use crate::lab_client::{
    client, each, good_server, last, listen, server, settings, talk, visit, visit_in_memory,
};

/// R27: the client says of each connection what the server says of it.
pub(crate) fn resumes_over_tcp<B: Backend>() {
    each(|library, version| {
        let server = listen(server(library, version));
        let client = client::<B>();
        for count in 1..=3 {
            let stream = visit(&client, &server);
            let (resumed, expected) = match count {
                1 => (false, Resumption::Full),
                _ => (true, Resumption::Resumed),
            };
            assert_eq!(stream.resumption(), expected, "{library} {version:?}");
            assert_eq!(stream.offered(), resumed, "{library} {version:?}");
            assert_eq!(stream.protocol(), version);
            let seen = last(&server, count);
            assert_eq!((seen.resumed, seen.offered), (resumed, resumed));
            assert_eq!(seen.server_name.as_deref(), Some("localhost"));
        }
    });
}

/// The same over a transport of the caller's; tickets come in while the application reads.
pub(crate) fn resumes_over_a_stream_of_ones_own<B: Backend>() {
    each(|library, version| {
        let server = server(library, version);
        let client = client::<B>();
        let mut first = visit_in_memory(&client, &server);
        assert_eq!(first.resumption(), Resumption::Full);
        let mut second = visit_in_memory(&client, &server);
        assert_eq!(second.resumption(), Resumption::Resumed, "{library}");
        for (stream, resumed) in [(&mut first, false), (&mut second, true)] {
            let facts = stream.get_mut().0.server().facts();
            assert_eq!(facts.expect("a handshake").resumed, resumed);
        }
    });
}

pub(crate) fn a_connection_says_what_it_is<B: Backend>() {
    const LIFETIME: Duration = Duration::from_secs(4321);
    each(|library, version| {
        let settings = ServerSettings {
            lifetime: Some(LIFETIME),
            ..settings(version)
        };
        let server = Server::new(library, &settings);
        let client = client::<B>();
        let full = visit_in_memory(&client, &server);
        let resumed = visit_in_memory(&client, &server);
        assert_eq!(resumed.resumption(), Resumption::Resumed);

        for stream in [&full, &resumed] {
            let chain = stream.peer_certificates();
            assert_eq!(chain, settings.identity.chain, "{library} {version:?}");
            let cipher = stream.cipher().expect("a cipher suite");
            assert!(cipher.starts_with("TLS_"), "{cipher}");
            let of_tls13 = !cipher.contains("_WITH_");
            assert_eq!(of_tls13, version == Protocol::Tls13, "{cipher}");
            assert_eq!(stream.alpn(), None);
        }
        assert_eq!(full.group(), Some(0x001d), "X25519");
        // A session of TLS 1.2 is resumed without a key exchange.
        let group = (version == Protocol::Tls13).then_some(0x001d);
        assert_eq!(resumed.group(), group, "{library} {version:?}");

        let tickets = if version == Protocol::Tls13 { 2 } else { 1 };
        assert_eq!(full.tickets(), tickets, "{library} {version:?}");
        // Only rustls 0.23 does not show it.
        if let Some(lifetime) = full.lifetime() {
            assert_eq!(lifetime, LIFETIME, "{library} {version:?}");
        }
        let hides_lifetime = std::any::type_name::<B>().contains("::rustls::");
        assert_eq!(full.lifetime().is_none(), hides_lifetime);
        if version == Protocol::Tls13 {
            assert_eq!(full.max_early_data(), Some(0));
        }
    });
}

/// A server that forgot everything makes a full handshake, which begins anew.
pub(crate) fn declined_after_the_servers_keys_rotate<B: Backend>() {
    each(|library, version| {
        let server = listen(server(library, version));
        let client = client::<B>();
        visit(&client, &server);
        server.server().rotate_keys();
        let mut declined = visit(&client, &server);
        assert_eq!(declined.resumption(), Resumption::Declined, "{library}");
        assert!(declined.offered());
        talk(&mut declined);
        assert!(!last(&server, 2).resumed);
        let stats = client.stats();
        assert_eq!((stats.declined, stats.resumed), (1, 0), "{library}");
        // A second ticket of the old keys may be left, but newer ones go first.
        assert_eq!(visit(&client, &server).resumption(), Resumption::Resumed);
        assert_eq!(client.stats().resumed, 1);
    });
}

/// R7: a ticket of TLS 1.3 is seen by a server once, however many threads want one.
pub(crate) fn every_ticket_is_used_once_by_many_threads<B: Backend>() {
    const THREADS: usize = 8;
    const CONNECTIONS: usize = 10;
    for library in Library::ALL {
        let server = listen(server(library, Protocol::Tls13));
        let client = client::<B>();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..CONNECTIONS {
                        talk(&mut visit(&client, &server));
                    }
                });
            }
        });
        last(&server, THREADS * CONNECTIONS);
        let handshakes = server.handshakes();
        let offered: Vec<_> = handshakes.iter().filter_map(|h| h.ticket.clone()).collect();
        let different: HashSet<_> = offered.iter().collect();
        assert_eq!(different.len(), offered.len(), "{library}");
        // Each thread finds at least what it stored itself, less what others took: most resume.
        assert!(offered.len() >= CONNECTIONS, "{}", offered.len());
        let stats = client.stats();
        assert_eq!(stats.taken, offered.len() as u64);
        assert_eq!(
            stats.resumed,
            handshakes.iter().filter(|h| h.resumed).count() as u64
        );
        assert_eq!(stats.failed, 0);
    }
}

/// R27: what is counted is what happened.
pub(crate) fn stats_add_up<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = client::<B>();
        for _ in 0..4 {
            visit_in_memory(&client, &server);
        }
        let stats = client.stats();
        assert_eq!((stats.missed, stats.offered, stats.resumed), (1, 3, 3));
        assert_eq!((stats.declined, stats.failed, stats.refused()), (0, 0, 0));
        match version {
            Protocol::Tls13 => {
                assert_eq!((stats.stored, stats.taken, stats.copied), (8, 3, 0));
                assert_eq!(stats.sessions, 5);
            }
            Protocol::Tls12 => {
                assert_eq!((stats.taken, stats.copied), (0, 3));
                assert_eq!(stats.sessions, 1);
                assert!(stats.stored >= 1);
                assert_eq!(stats.stored - stats.replaced, 1);
            }
        }
        assert_eq!(stats.servers, 1);
        assert!(stats.bytes > 0);
    }
}

/// The chain of the full handshake, by any number of resumptions.
pub(crate) fn the_whole_chain_is_known_after_a_resumption<B: Backend>() {
    each(|library, version| {
        let server = server(library, version);
        let client = client::<B>();
        let sent = visit_in_memory(&client, &server).peer_certificates();
        assert!(sent.len() > 1, "{library} {version:?}");
        for _ in 0..3 {
            let stream = visit_in_memory(&client, &server);
            assert_eq!(stream.resumption(), Resumption::Resumed);
            assert_eq!(stream.peer_certificates(), sent, "{library} {version:?}");
        }
    });
}
