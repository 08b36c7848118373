//! Sessions beyond the connector: in a file, and in places that are not there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::server::Protocol;
use tempfile::TempDir;
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::{ErrorKind, Resumption, Shareable};

use crate::lab_client::{
    HOST, LONG, builder, each, good_server, last, listen, refused, server, visit, visit_in_memory,
};

/// A place for a store, gone with its owner.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join("sessions")
    }

    fn builder<B: Shareable>(&self) -> ConnectorBuilder<B> {
        let url = format!("lmdb:{}", self.folder().display());
        // A test may run on a busy machine: what is there is waited for.
        builder().store(url).store_timeout(LONG)
    }

    fn client<B: Shareable>(&self) -> Connector<B> {
        self.builder().build().expect("a store")
    }
}

fn flush<B: Shareable>(client: &Connector<B>) {
    assert!(client.flush(LONG), "{:?}", client.tier_stats());
}

/// One connector after the other, as processes that come and go.
pub(crate) fn sessions_outlive_their_connector<B: Shareable>() {
    each(|library, version| {
        let place = Place::new();
        let server = listen(server(library, version));
        for count in 1..=3 {
            let client = place.client::<B>();
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

pub(crate) fn a_session_comes_before_a_stream_of_ones_own<B: Shareable>() {
    each(|library, version| {
        let (place, server) = (Place::new(), server(library, version));
        drop(visit_in_memory(&place.client::<B>(), &server));
        let client = place.client::<B>();
        let stream = visit_in_memory(&client, &server);
        assert_eq!(stream.resumption(), Resumption::Resumed, "it is waited for");

        drop((client, stream));
        let client = place.client::<B>();
        client.prefetch(HOST, crate::lab_client::PORT);
        assert_eq!(client.stats().returned, 1);
        let stream = visit_in_memory(&client, &server);
        assert_eq!(stream.resumption(), Resumption::Resumed);
    });
}

/// R1: who has another configuration, or other keys, finds nothing.
pub(crate) fn others_share_nothing<B: Shareable>() {
    for version in Protocol::ALL {
        let (place, server) = (Place::new(), good_server(version));
        drop(visit_in_memory(&place.client::<B>(), &server));
        let other_keys = place.0.path().join("other-keys");
        let others: [ConnectorBuilder<B>; 3] = [
            place.builder().domain("mail-out"),
            place.builder().alpn([b"h2".to_vec()]),
            place.builder().store_keys(&other_keys),
        ];
        for other in others {
            let client = other.build().expect("a store");
            client.prefetch(HOST, crate::lab_client::PORT);
            assert_eq!(client.tier_stats().expect("a tier").fetched, 0);
        }
        let mode = fs::metadata(other_keys)
            .expect("a key file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let stream = visit_in_memory(&place.client::<B>(), &server);
        assert_eq!(stream.resumption(), Resumption::Resumed);
    }
}

/// R6: not even beyond memory.
pub(crate) fn hosts_that_never_resume_leave_nothing_behind<B: Shareable>() {
    let (place, server) = (Place::new(), good_server(Protocol::Tls13));
    let client = place
        .builder::<B>()
        .never_resume([HOST])
        .build()
        .expect("a store");
    drop(visit_in_memory(&client, &server));
    flush(&client);
    client.prefetch(HOST, crate::lab_client::PORT);
    let stats = client.tier_stats().expect("a tier");
    assert_eq!((stats.written, stats.fetched, stats.missed), (0, 0, 0));
}

/// R4, R22: what is revoked or cleared is gone from the place, too.
pub(crate) fn what_is_revoked_is_gone_for_others<B: Shareable>() {
    for version in Protocol::ALL {
        let (place, server) = (Place::new(), good_server(version));
        let client = place.client::<B>();
        let revoke: [&dyn Fn(); 3] = [
            &|| {
                let stream = visit_in_memory(&client, &server);
                flush(&client);
                stream.forget();
            },
            &|| client.clear(),
            &|| client.clear_server(HOST, crate::lab_client::PORT),
        ];
        for revoke in revoke {
            drop(visit_in_memory(&client, &server));
            flush(&client);
            revoke();
            flush(&client);
            let other = place.client::<B>();
            other.prefetch(HOST, crate::lab_client::PORT);
            assert_eq!(
                other.tier_stats().expect("a tier").fetched,
                0,
                "{version:?}"
            );
        }
    }
}

pub(crate) fn a_process_that_starts_loads_what_is_there<B: Shareable>() {
    let (place, server) = (Place::new(), good_server(Protocol::Tls13));
    drop(visit_in_memory(&place.client::<B>(), &server));
    let client = place.client::<B>();
    assert!(client.load(10, LONG));
    assert!(client.stats().sessions > 0);
    let other = place
        .builder::<B>()
        .domain("other")
        .build()
        .expect("a store");
    assert!(other.load(10, LONG));
    assert_eq!(other.stats().sessions, 0);
}

/// R20: handshakes go on, and memory serves them.
pub(crate) fn a_place_that_is_down_is_no_error<B: Shareable>() {
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

pub(crate) fn stores_in_memory_are_as_if_nothing_were_said<B: Shareable>() {
    let client = builder::<B>().store("memory:").build().expect("a store");
    let server = good_server(Protocol::Tls13);
    for resumption in [Resumption::Full, Resumption::Resumed] {
        assert_eq!(visit_in_memory(&client, &server).resumption(), resumption);
    }
    assert_eq!(client.tier_stats(), None);
    assert!(!client.flush(Duration::ZERO));
}

pub(crate) fn stores_that_are_none_are_refused<B: Shareable>() {
    let refuses = |url: &str| {
        let error = refused(builder::<B>().store(url).build(), ErrorKind::Config);
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
            refuses(url).contains("give memory:, lmdb:DIR or redis://"),
            "{url}"
        );
    }
    refuses("redis://user:secret@");
    refuses("lmdb:/nowhere/at/all");

    let place = Place::new();
    drop(place.client::<B>());
    let url = format!("lmdb:{}", place.folder().display());
    let open_to_others = |path: &Path, before: u32| {
        fs::set_permissions(path, Permissions::from_mode(before | 0o044)).expect("my own");
        let error = refuses(&url);
        assert!(error.contains("chmod"), "{error}");
        fs::set_permissions(path, Permissions::from_mode(before)).expect("my own");
    };
    open_to_others(&place.folder(), 0o700);
    open_to_others(&place.folder().join("keys"), 0o600);
    place.client::<B>();
}
