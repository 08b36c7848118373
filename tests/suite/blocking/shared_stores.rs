//! Stores with a tier: LMDB files, a Redis, and one that is down.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::faults::{Fault, FaultyTransport};
use lab::redis::RedisServer;
use lab::server::Protocol;
use tempfile::TempDir;
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::{ErrorKind, Resumption, Shareable};

use super::clients::{builder, error_line, last, visit, visit_in_memory};
use crate::servers::{HOST, LONG, PORT, each, good_server, listen, server, server_without_context};

/// A directory for a store; dropping it deletes the files.
pub(super) struct StoreDir(TempDir);

impl StoreDir {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join("sessions")
    }

    pub(super) fn builder<B: Shareable>(&self) -> ConnectorBuilder<B> {
        let url = format!("lmdb:{}", self.folder().display());
        // Long, since the machine may be busy.
        builder().store(url).store_timeout(LONG)
    }

    pub(super) fn client<B: Shareable>(&self) -> Connector<B> {
        self.builder().build().expect("a store")
    }
}

fn flush<B: Shareable>(client: &Connector<B>) {
    assert!(client.flush(LONG), "{:?}", client.tier_stats());
}

/// As with processes that run one after the other.
pub(crate) fn sessions_outlive_their_connector<B: Shareable>() {
    each(|library, version| {
        let dir = StoreDir::new();
        let server = listen(server(library, version));
        for count in 1..=3 {
            let client = dir.client::<B>();
            let stream = visit(&client, &server);
            let expected = match count {
                1 => Resumption::Full,
                _ => Resumption::Resumed,
            };
            assert_eq!(stream.resumption(), expected, "{library} {version:?}");
            assert_eq!(last(&server, count).resumed, count > 1);
            let chain = stream.peer_certificates();
            assert_eq!(
                chain.first(),
                server.server().settings().identity.chain.first()
            );
        }
    });
}

pub(crate) fn connections_over_the_callers_transport_wait_for_the_tier<B: Shareable>() {
    each(|library, version| {
        let (dir, server) = (StoreDir::new(), server(library, version));
        drop(visit_in_memory(&dir.client::<B>(), &server));
        let client = dir.client::<B>();
        let stream = visit_in_memory(&client, &server);
        assert_eq!(stream.resumption(), Resumption::Resumed, "it is waited for");

        drop((client, stream));
        let client = dir.client::<B>();
        client.prefetch(HOST, PORT);
        assert_eq!(client.stats().returned, 1);
        let stream = visit_in_memory(&client, &server);
        assert_eq!(stream.resumption(), Resumption::Resumed);
    });
}

/// R1.
pub(crate) fn other_settings_or_keys_share_nothing<B: Shareable>() {
    for version in Protocol::ALL {
        let (dir, server) = (StoreDir::new(), good_server(version));
        drop(visit_in_memory(&dir.client::<B>(), &server));
        let other_keys = dir.0.path().join("other-keys");
        let others: [ConnectorBuilder<B>; 3] = [
            dir.builder().domain("mail-out"),
            dir.builder().alpn([b"h2".to_vec()]),
            dir.builder().store_keys(&other_keys),
        ];
        for other in others {
            let client = other.build().expect("a store");
            client.prefetch(HOST, PORT);
            assert_eq!(client.tier_stats().expect("a tier").fetched, 0);
        }
        let mode = fs::metadata(other_keys)
            .expect("a key file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let stream = visit_in_memory(&dir.client::<B>(), &server);
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}

/// R6.
pub(crate) fn never_resume_hosts_leave_nothing_in_the_tier<B: Shareable>() {
    let (dir, server) = (StoreDir::new(), good_server(Protocol::Tls13));
    let client = dir
        .builder::<B>()
        .never_resume([HOST])
        .build()
        .expect("a store");
    drop(visit_in_memory(&client, &server));
    flush(&client);
    client.prefetch(HOST, PORT);
    let stats = client.tier_stats().expect("a tier");
    assert_eq!((stats.written, stats.fetched, stats.missed), (0, 0, 0));
}

/// R35: the records of a cleared partition are in the tier, and nobody uses them.
pub(crate) fn a_cleared_partition_is_empty_for_others<B: Shareable>() {
    for version in Protocol::ALL {
        let (dir, server) = (StoreDir::new(), good_server(version));
        let client = dir.client::<B>();
        for name in ["a", "b"] {
            drop(visit_in_memory(&client.partition(name), &server));
        }
        flush(&client);
        client.clear_partition("a");
        flush(&client);
        for (name, expected) in [("a", Resumption::Full), ("b", Resumption::Resumed)] {
            let other = dir.client::<B>();
            let stream = visit_in_memory(&other.partition(name), &server);
            assert_eq!(stream.resumption(), expected, "{version:?} {name}");
        }
    }
}

/// R4, R22: the tier has them no more.
pub(crate) fn revoked_sessions_are_gone_for_others<B: Shareable>() {
    for version in Protocol::ALL {
        let (dir, server) = (StoreDir::new(), good_server(version));
        let client = dir.client::<B>();
        let revoke: [&dyn Fn(); 3] = [
            &|| {
                let stream = visit_in_memory(&client, &server);
                flush(&client);
                stream.forget();
            },
            &|| client.clear(),
            &|| client.clear_server(HOST, PORT),
        ];
        for revoke in revoke {
            drop(visit_in_memory(&client, &server));
            flush(&client);
            revoke();
            flush(&client);
            let other = dir.client::<B>();
            other.prefetch(HOST, PORT);
            assert_eq!(
                other.tier_stats().expect("a tier").fetched,
                0,
                "{version:?}"
            );
        }
    }
}

/// R29: by the record of it in the tier.
pub(crate) fn what_one_process_avoids_others_avoid<B: Shareable>() {
    for version in Protocol::ALL {
        let (dir, server) = (StoreDir::new(), server_without_context(version));
        let client = dir.builder::<B>().retry_failed_resumption(false).build();
        let client = client.expect("a store");
        drop(visit(&client, &server));
        client.connect(HOST, server.port()).expect_err("it breaks");
        drop(visit(&client, &server));
        flush(&client);
        let other = dir.client::<B>();
        for _ in 0..5 {
            drop(visit(&other, &server));
        }
        let stats = other.stats();
        assert!(stats.returned > 0, "{version}: {stats:?}");
        assert_eq!(
            (stats.failed, stats.offered),
            (0, 0),
            "{version}: {stats:?}"
        );
        assert!(stats.avoided > 0, "{version}: {stats:?}");
    }
}

/// R31, R41.
pub(crate) fn a_failed_transport_leaves_the_sessions_of_others<B: Shareable>() {
    for version in Protocol::ALL {
        let dir = StoreDir::new();
        others_keep_their_sessions(version, || dir.client::<B>());
    }
}

pub(crate) fn a_failed_transport_leaves_the_sessions_of_others_in_redis<B: Shareable>() {
    let redis = RedisServer::start().expect("a Redis");
    for version in Protocol::ALL {
        let keys = tempfile::tempdir().expect("a temporary folder");
        others_keep_their_sessions(version, || {
            let client = builder::<B>().store(redis.url()).store_timeout(LONG);
            let client = client.store_keys(keys.path().join("keys"));
            client.build().expect("a store")
        });
    }
}

fn others_keep_their_sessions<B: Shareable>(version: Protocol, process: impl Fn() -> Connector<B>) {
    let server = good_server(version);
    let (client, other) = (process(), process());
    for process in [&other, &client] {
        drop(visit_in_memory(process, &server));
        flush(process);
    }
    let io = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
    client.connect_stream(HOST, PORT, io).expect_err("closed");
    assert_eq!(client.stats().failed, 1, "{version}");
    flush(&client);
    // A process that does not know the server yet finds out first whether it works at all.
    let new = process();
    new.prefetch(HOST, PORT);
    assert!(new.stats().sessions > 0, "{version}");
    for expected in [Resumption::Full, Resumption::Resumed] {
        let stream = visit_in_memory(&new, &server);
        assert_eq!(stream.resumption(), expected, "{version}");
    }
}

pub(crate) fn load_fetches_the_tiers_sessions<B: Shareable>() {
    let (dir, server) = (StoreDir::new(), good_server(Protocol::Tls13));
    drop(visit_in_memory(&dir.client::<B>(), &server));
    let client = dir.client::<B>();
    assert!(client.load(10, LONG));
    assert!(client.stats().sessions > 0);
    let other = dir.builder::<B>().domain("other").build().expect("a store");
    assert!(other.load(10, LONG));
    assert_eq!(other.stats().sessions, 0);
}

/// R20: connections resume from memory.
pub(crate) fn a_tier_that_is_down_is_no_error<B: Shareable>() {
    let keys = tempfile::tempdir().expect("a temporary folder");
    let client = builder::<B>()
        .store("redis://127.0.0.1:1")
        .store_keys(keys.path().join("keys"))
        .store_timeout(LONG)
        .build()
        .expect("a store that is down is no error");
    let server = listen(good_server(Protocol::Tls13));
    let began = Instant::now();
    for count in 1..=20 {
        let stream = visit(&client, &server);
        let resumed = stream.resumption() == Resumption::Resumed;
        assert_eq!(resumed, count > 1);
    }
    assert!(began.elapsed() < LONG, "nobody waits for it");
    let stats = client.tier_stats().expect("a tier");
    assert!(stats.failures > 0 && stats.resting, "{stats:?}");
    assert!(!client.flush(LONG));
}

pub(crate) fn memory_stores_have_no_tier<B: Shareable>() {
    let client = builder::<B>().store("memory:").build().expect("a store");
    let server = good_server(Protocol::Tls13);
    for resumption in [Resumption::Full, Resumption::Resumed] {
        assert_eq!(visit_in_memory(&client, &server).resumption(), resumption);
    }
    assert_eq!(client.tier_stats(), None);
    assert!(!client.flush(Duration::ZERO));
}

pub(crate) fn invalid_stores_are_rejected<B: Shareable>() {
    let refuses = |url: &str| {
        let error = error_line(builder::<B>().store(url).build(), ErrorKind::Config);
        assert!(!error.contains("secret"), "{error}");
        error
    };
    for url in [
        "",
        "memory",
        "memory:x",
        "lmdb:",
        "file:/tmp/x",
        "http://user:secret@host",
    ] {
        assert!(
            refuses(url).contains("give memory:, lmdb:DIR, redis://"),
            "{url}"
        );
    }
    refuses("redis://user:secret@");
    refuses("lmdb:/nowhere/at/all");

    let dir = StoreDir::new();
    drop(dir.client::<B>());
    let url = format!("lmdb:{}", dir.folder().display());
    let open_to_others = |path: &Path, before: u32| {
        fs::set_permissions(path, Permissions::from_mode(before | 0o044)).expect("my own");
        let error = refuses(&url);
        assert!(error.contains("chmod"), "{error}");
        fs::set_permissions(path, Permissions::from_mode(before)).expect("my own");
    };
    open_to_others(&dir.folder(), 0o700);
    open_to_others(&dir.folder().join("keys"), 0o600);
    dir.client::<B>();
}
