//! Second connections resume, and report it.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use lab::server::{Group, Library, Server, ServerSettings};
use tls_resume::{Backend, NamedGroup, Protocol, Resumption};

use super::clients::{client, last, talk, visit, visit_in_memory};
use crate::servers::{LONG, each, good_server, listen, server, settings};

/// R27: the client reports the same as the server.
pub(crate) fn tcp_connections_resume<B: Backend>() {
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

/// Tickets arrive while the application reads.
pub(crate) fn connections_over_the_callers_transport_resume<B: Backend>() {
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

pub(crate) fn a_connection_reports_what_was_negotiated<B: Backend>() {
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
        assert_eq!(full.group(), Some(NamedGroup::X25519));
        // TLS 1.2 resumes without a key exchange.
        let group = (version == Protocol::Tls13).then_some(NamedGroup::X25519);
        assert_eq!(resumed.group(), group, "{library} {version:?}");

        let tickets = if version == Protocol::Tls13 { 2 } else { 1 };
        assert_eq!(full.tickets(), tickets, "{library} {version:?}");
        // Only rustls 0.23 does not show the lifetime.
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

/// And the new sessions are resumed.
pub(crate) fn sessions_are_declined_after_the_servers_keys_rotate<B: Backend>() {
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
        // A ticket of the old keys may be left, but newer ones are offered first.
        assert_eq!(visit(&client, &server).resumption(), Resumption::Resumed);
        assert_eq!(client.stats().resumed, 1);
    });
}

/// R7: the server sees no ticket twice.
pub(crate) fn threads_use_each_ticket_once<B: Backend>() {
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
        // A thread finds the tickets that it stored, unless another took them: most resume.
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

/// R27.
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

/// That of the full handshake, after any number of resumptions.
pub(crate) fn resumed_connections_know_the_whole_chain<B: Backend>() {
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

/// R39.
pub(crate) fn the_servers_last_group_is_offered_first<B: Backend>() {
    let settings = ServerSettings {
        groups: vec![Group::P256],
        ..settings(Protocol::Tls13)
    };
    let server = listen(Server::new(Library::OpenSsl, &settings));
    let client = client::<B>();
    for _ in 0..3 {
        visit(&client, &server);
    }
    let facts = server.wait_for_handshakes(3, LONG);
    let shares: Vec<_> = facts.iter().map(|one| one.key_shares.first()).collect();
    assert_ne!(shares[0], Some(&23), "the first visit knows nothing");
    assert_eq!(shares[1..], [Some(&23); 2]);
    assert_eq!(facts[0].groups.len(), facts[2].groups.len());
}
