//! R32: tickets that are offered until they are renewed.

use lab::faults::{Fault, FaultyTransport};
use lab::redis::RedisServer;
use lab::server::{Library, Protocol, Server, ServerSettings};
use tempfile::TempDir;
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::{Backend, ErrorKind, Resumption, ReuseTickets, Shareable};

use super::clients::{Memory, builder, error_line, start, talk, visit_in_memory};
use super::shared_stores::StoreDir;
use crate::servers::{HOST, LONG, PORT, settings};

/// One ticket after a full handshake, and none after a resumed one, as Postfix does.
fn server_that_renews_nothing() -> Server {
    let mut settings = settings(Protocol::Tls13);
    settings.tickets = 1;
    settings.openssl.renews_nothing = true;
    Server::new(Library::OpenSsl, &settings)
}

/// Another machine of the server: it has other keys, and sends no ticket.
fn server_without_tickets() -> Server {
    let settings = ServerSettings {
        tickets: 0,
        ..settings(Protocol::Tls13)
    };
    Server::new(Library::OpenSsl, &settings)
}

fn reusing<B: Backend>(builder: ConnectorBuilder<B>) -> Connector<B> {
    let builder = builder.reuse_tickets(ReuseTickets::UntilRenewed);
    builder.build().expect("valid settings")
}

/// Whether each of `count` connections was resumed.
fn resumed<B: Backend>(client: &Connector<B>, server: &Server, count: usize) -> Vec<bool> {
    let visit = |_| visit_in_memory(client, server).resumption() == Resumption::Resumed;
    (0..count).map(visit).collect()
}

pub(crate) fn one_ticket_is_enough<B: Shareable>() {
    let server = server_that_renews_nothing();
    let strict = builder::<B>().build().expect("valid settings");
    let every_other: Vec<bool> = (0..8).map(|number| number % 2 == 1).collect();
    assert_eq!(resumed(&strict, &server, 8), every_other);
    let client = reusing(builder::<B>());
    let all_but_the_first: Vec<bool> = (0..8).map(|number| number > 0).collect();
    assert_eq!(resumed(&client, &server, 8), all_but_the_first);
    let stats = client.stats();
    assert_eq!(
        (stats.copied, stats.taken, stats.sessions),
        (7, 0, 1),
        "{stats:?}"
    );
}

/// Each at a time when the others are open.
pub(crate) fn connections_at_once_share_a_ticket<B: Shareable>() {
    let server = server_that_renews_nothing();
    let client = reusing(builder::<B>());
    drop(visit_in_memory(&client, &server));
    let mut open: Vec<_> = (0..8).map(|_| start(&client, &server)).collect();
    for stream in &mut open {
        assert_eq!(stream.resumption(), Resumption::Resumed);
        talk(stream);
    }
    // Dropped without close_notify.
    drop(open);
    assert_eq!(resumed(&client, &server, 2), [true, true]);
}

pub(crate) fn a_renewed_ticket_replaces_the_one_before<B: Shareable>() {
    for library in Library::ALL {
        let server = Server::new(library, &settings(Protocol::Tls13));
        let client = reusing(builder::<B>());
        assert_eq!(
            resumed(&client, &server, 5),
            [false, true, true, true, true]
        );
        let stats = client.stats();
        assert_eq!(stats.sessions, 1, "{library}: {stats:?}");
        assert!(stats.replaced >= 4, "{library}: {stats:?}");
    }
}

pub(crate) fn a_declined_or_failed_ticket_is_dropped<B: Shareable>() {
    let client = reusing(builder::<B>());
    drop(visit_in_memory(&client, &server_that_renews_nothing()));
    assert_eq!(client.stats().sessions, 1);
    assert_eq!(resumed(&client, &server_without_tickets(), 1), [false]);
    let stats = client.stats();
    assert_eq!((stats.declined, stats.sessions), (1, 0), "{stats:?}");

    let server = server_that_renews_nothing();
    drop(visit_in_memory(&client, &server));
    let io = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
    let error = client.connect_stream(HOST, PORT, io).expect_err("closed");
    assert!(error.offered_session(), "{error}");
    assert_eq!(client.stats().sessions, 0);
}

/// Connectors of processes that share a tier: the first gets the ticket.
fn share_a_ticket<B: Shareable>(builder: impl Fn() -> ConnectorBuilder<B>) {
    let server = server_that_renews_nothing();
    drop(visit_in_memory(&reusing(builder()), &server));
    // Two at once: each has a copy.
    let clients = [(); 2].map(|()| reusing(builder()));
    for client in &clients {
        assert_eq!(resumed(client, &server, 3), [true, true, true]);
    }
    // A connector that uses each ticket once shares none with them.
    let strict = builder().build().expect("a store");
    assert_eq!(resumed(&strict, &server, 1), [false]);
}

pub(crate) fn a_reused_ticket_goes_through_lmdb<B: Shareable>() {
    let dir = StoreDir::new();
    share_a_ticket(|| dir.builder::<B>());
}

/// A Redis, and the file of the keys that seal its records.
struct RedisStore {
    redis: RedisServer,
    dir: TempDir,
}

impl RedisStore {
    fn start() -> Self {
        Self {
            redis: RedisServer::start().unwrap_or_else(|error| panic!("{error}")),
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn builder<B: Shareable>(&self) -> ConnectorBuilder<B> {
        let builder = builder().store(self.redis.url()).store_timeout(LONG);
        builder.store_keys(self.dir.path().join("keys"))
    }
}

pub(crate) fn a_reused_ticket_goes_through_redis<B: Shareable>() {
    let store = RedisStore::start();
    share_a_ticket(|| store.builder::<B>());
}

/// A process to which the server declined the ticket takes it from all.
pub(crate) fn a_declined_ticket_leaves_redis<B: Shareable>() {
    let store = RedisStore::start();
    let client = || reusing(store.builder::<B>());
    drop(visit_in_memory(&client(), &server_that_renews_nothing()));
    let off = server_without_tickets();
    let declined = client();
    assert_eq!(resumed(&declined, &off, 1), [false]);
    assert_eq!(declined.stats().declined, 1);
    drop(declined);
    let next = client();
    assert_eq!(resumed(&next, &off, 1), [false]);
    assert_eq!(next.stats().offered, 0, "another process has dropped it");
}

pub(crate) fn early_data_excludes_reused_tickets<B: Shareable>() {
    let both = builder::<B>()
        .early_data(true)
        .reuse_tickets(ReuseTickets::UntilRenewed);
    let line = error_line(both.build(), ErrorKind::Config);
    assert!(line.contains("used once"), "{line}");
    // A server that allows early data: the ticket is reused, and carries none.
    let mut allowing = settings(Protocol::Tls13);
    allowing.max_early_data = 1_024;
    allowing.openssl.accepts_replays = true;
    let server = Server::new(Library::OpenSsl, &allowing);
    let client = reusing(builder::<B>());
    let io = Memory(lab::transport::InMemory::new(&server));
    let mut first = client.connect_stream(HOST, PORT, io).expect("a handshake");
    talk(&mut first);
    assert_eq!(resumed(&client, &server, 2), [true, true]);
}
