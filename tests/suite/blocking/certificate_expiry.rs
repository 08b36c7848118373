//! Sessions expire with the certificates of their full handshake.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::generic::Connector;
use tls_resume::{Backend, Clock, ManualClock, Resumption, SystemClock};

use super::clients::{builder, talk, visit_in_memory};
use crate::servers::{HOST, authority, each, settings};

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A whole second, an hour from now.
fn in_an_hour() -> SystemTime {
    let now = SystemClock.now().since_epoch();
    UNIX_EPOCH + Duration::from_secs(now.as_secs()) + HOUR
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(SystemClock.now()))
}

/// Resumes until the certificate expires, although each resumption renews the session, and then no
/// more.
fn resumes_for_an_hour<B: Backend>(client: &Connector<B>, server: &Server, clock: &ManualClock) {
    let library = server.library();
    assert_eq!(
        visit_in_memory(client, server).resumption(),
        Resumption::Full
    );
    for _ in 0..2 {
        clock.advance(29 * MINUTE);
        let resumed = visit_in_memory(client, server).resumption();
        assert_eq!(resumed, Resumption::Resumed, "{library}");
    }
    clock.advance(3 * MINUTE);
    let mut last = visit_in_memory(client, server);
    assert_eq!(last.resumption(), Resumption::Full, "{library}");
    talk(&mut last);
    assert_eq!(client.stats().sessions, 0, "{library}");
    assert!(client.stats().refused_expired > 0, "{library}");
}

/// R33.
pub(crate) fn no_session_outlives_the_servers_certificate<B: Backend>() {
    each(|library, version| {
        let settings = ServerSettings {
            identity: authority().issue_until(&[HOST], in_an_hour()),
            ..settings(version)
        };
        let server = Server::new(library, &settings);
        let clock = clock();
        let client = builder::<B>().clock(Arc::<ManualClock>::clone(&clock));
        let client = client.build().expect("valid settings");
        resumes_for_an_hour(&client, &server, &clock);
    });
}

/// R33.
pub(crate) fn no_session_outlives_the_clients_certificate<B: Backend>() {
    each(|library, version| {
        let settings = ServerSettings {
            client_root: Some(authority().root_der()),
            ..settings(version)
        };
        let server = Server::new(library, &settings);
        let clock = clock();
        let identity = authority().issue_client_until("client.lab.example", in_an_hour());
        let client = builder::<B>()
            .client_certificate(identity.chain, identity.key)
            .clock(Arc::<ManualClock>::clone(&clock));
        let client = client.build().expect("valid settings");
        resumes_for_an_hour(&client, &server, &clock);
    });
}

/// R33: a session keeps it in a tier, and so do those of connections that it resumes.
#[cfg(all(feature = "lmdb", feature = "redis"))]
pub(crate) fn sessions_from_a_tier_expire_with_the_certificate<B: tls_resume::Shareable>() {
    each(|library, version| {
        let settings = ServerSettings {
            identity: authority().issue_until(&[HOST], in_an_hour()),
            ..settings(version)
        };
        let server = Server::new(library, &settings);
        let (dir, clock) = (tempfile::tempdir().expect("a directory"), clock());
        let visit = || {
            let url = format!("lmdb:{}", dir.path().join("sessions").display());
            let client = builder::<B>()
                .clock(Arc::<ManualClock>::clone(&clock))
                .store(url)
                .store_timeout(crate::servers::LONG);
            let client = client.build().expect("a store");
            let resumption = visit_in_memory(&client, &server).resumption();
            assert!(client.flush(crate::servers::LONG));
            resumption
        };
        assert_eq!(visit(), Resumption::Full);
        for _ in 0..2 {
            clock.advance(29 * MINUTE);
            assert_eq!(visit(), Resumption::Resumed, "{library} {version}");
        }
        clock.advance(3 * MINUTE);
        assert_eq!(visit(), Resumption::Full, "{library} {version}");
    });
}

/// R33: an issuer's certificate that verification does not need.
pub(crate) fn an_expired_certificate_beside_the_chain_changes_nothing<B: Backend>() {
    for library in Library::ALL {
        for version in Protocol::ALL {
            let mut settings = settings(version);
            let expired = authority().issue_expired(&["old.lab.example"]);
            settings.identity.chain.push(expired.chain[0].clone());
            let server = Server::new(library, &settings);
            let client = builder::<B>().build().expect("valid settings");
            for expected in [Resumption::Full, Resumption::Resumed] {
                let stream = visit_in_memory(&client, &server);
                assert_eq!(stream.resumption(), expected, "{library} {version}");
            }
        }
    }
}
