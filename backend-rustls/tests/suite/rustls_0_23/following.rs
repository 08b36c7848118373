//! The shared handle of a configuration whose client certificate rotates.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend_rustls::{CurrentDomain, FollowDomain, earliest_not_after, provider};
use lab::certificate::Identity;
use lab::server::{Library, Protocol, Server, ServerSettings};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use store_core::{Clock, Limits, SecurityDomain, Timestamp};

use super::client::handshake;
use super::fixture::{Fixture, NAME, servers};

/// A resolver that rotates, and the domain of its certificate.
#[derive(Debug)]
struct Rotating(Mutex<(Arc<CertifiedKey>, CurrentDomain)>);

impl Rotating {
    fn new(identity: &Identity) -> Self {
        Self(Mutex::new(with_domain(identity, None)))
    }

    fn rotate(&self, identity: &Identity, now: Timestamp) {
        *self.0.lock().unwrap() = with_domain(identity, Some(now));
    }
}

fn with_domain(
    identity: &Identity,
    since: Option<Timestamp>,
) -> (Arc<CertifiedKey>, CurrentDomain) {
    let Identity { chain, key } = identity.clone();
    let domain = SecurityDomain::builder("test").list("certificates", &chain);
    let domain = CurrentDomain {
        domain: domain.finish(),
        since,
        certificate_expires: earliest_not_after(&chain, Timestamp::EPOCH),
    };
    let key = CertifiedKey::from_der(chain, key, &provider()).unwrap();
    (Arc::new(key), domain)
}

impl ResolvesClientCert for Rotating {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap().0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl FollowDomain for Rotating {
    fn current(&self) -> CurrentDomain {
        self.0.lock().unwrap().1
    }
}

/// With a server that demands a client certificate of the fixture's authority.
fn fixture(library: Library, protocol: Protocol) -> Fixture {
    let mut fixture = Fixture::with(library, protocol, Limits::default(), |_| {});
    let settings = ServerSettings {
        client_root: Some(fixture.authority.root_der()),
        ..fixture.server.settings().clone()
    };
    fixture.server = Server::new(library, &settings);
    fixture
}

/// R38.
#[test]
fn a_rotated_certificate_resumes_no_session_of_the_old_one() {
    for (library, protocol) in servers() {
        let mut fixture = fixture(library, protocol);
        let issue = |fixture: &Fixture| fixture.authority.issue_client("client");
        let mut identity = issue(&fixture);
        let rotating = Arc::new(Rotating::new(&identity));
        let shared = fixture
            .sessions
            .shared_handle_following(Arc::<Rotating>::clone(&rotating));
        fixture.config.resumption = shared.resumption();
        fixture.config.client_auth_cert_resolver = Arc::<Rotating>::clone(&rotating);
        let visit = |fixture: &Fixture, identity: &Identity, resumed: bool| {
            let mut client = handshake(&fixture.server, fixture.config.clone(), NAME).unwrap();
            client.echo();
            let facts = client.transport.server().facts().unwrap();
            assert_eq!(facts.client_leaf.as_deref(), Some(&identity.chain[0][..]));
            assert_eq!(facts.resumed, resumed, "{library} {protocol}");
        };
        for _ in 0..5 {
            for count in 0..4 {
                visit(&fixture, &identity, count > 0);
            }
            // The tickets of TLS 1.3 arrive after the rotation.
            let mut late = handshake(&fixture.server, fixture.config.clone(), NAME).unwrap();
            identity = issue(&fixture);
            rotating.rotate(&identity, fixture.clock.now());
            late.echo();
            for _ in 0..2 {
                visit(&fixture, &identity, false);
                fixture.clock.advance(Duration::from_secs(14));
            }
            fixture.clock.advance(Duration::from_secs(2));
        }
    }
}

/// R33: that of the client is known.
#[test]
fn sessions_expire_with_the_clients_certificate() {
    for (library, protocol) in servers() {
        let mut fixture = fixture(library, protocol);
        let until = std::time::UNIX_EPOCH + fixture.now().since_epoch() + Duration::from_secs(600);
        let identity = fixture.authority.issue_client_until("client", until);
        let rotating = Arc::new(Rotating::new(&identity));
        let shared = fixture
            .sessions
            .shared_handle_following(Arc::<Rotating>::clone(&rotating));
        fixture.config.resumption = shared.resumption();
        fixture.config.client_auth_cert_resolver = rotating;
        for (advance, resumed) in [(0, false), (599, true), (1, false)] {
            fixture.clock.advance(Duration::from_secs(advance));
            let mut client = handshake(&fixture.server, fixture.config.clone(), NAME).unwrap();
            client.echo();
            let facts = client.transport.server().facts().unwrap();
            assert_eq!(facts.resumed, resumed, "{library} {protocol} {advance}");
        }
    }
}
