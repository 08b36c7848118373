//! Client certificates and roots that change while sessions are in the store.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use tls_resume::generic::{Connector, Stream};
use tls_resume::{
    Backend, ClientCredential, CredentialFiles, CredentialSource, ErrorKind, Resumption,
    RotatingCredential,
};

use super::clients::{Memory, TemporaryFile, builder, error_line, start, talk, visit_in_memory};
use crate::servers::{authority, each, settings};

pub(crate) const ROTATIONS: usize = 5;
/// Connections with each certificate.
pub(crate) const CONNECTIONS: usize = 40;

/// Longer than files are looked at again.
const LOOK: Duration = Duration::from_millis(1_100);

pub(crate) fn identity() -> Identity {
    authority().issue_client("client.lab.example")
}

pub(crate) fn credential(identity: &Identity) -> ClientCredential {
    let Identity { chain, key } = identity.clone();
    ClientCredential::new(chain, key)
}

/// A server that demands a client certificate.
pub(crate) fn demanding(library: Library, version: Protocol) -> Server {
    let settings = ServerSettings {
        client_root: Some(authority().root_der()),
        ..settings(version)
    };
    Server::new(library, &settings)
}

/// Checks that the server saw this identity, and whether it resumed.
#[track_caller]
pub(crate) fn assert_seen(seen: &Handshake, identity: &Identity, resumed: bool) {
    let leaf = seen.client_leaf.as_deref();
    assert_eq!(leaf, Some(&identity.chain[0][..]), "another identity");
    assert_eq!(seen.resumed, resumed);
}

fn seen<B: Backend>(stream: &mut Stream<B, Memory>) -> Handshake {
    let facts = stream.get_mut().0.server().facts();
    facts.expect("a handshake").clone()
}

#[track_caller]
fn assert_visit<B: Backend>(
    client: &Connector<B>,
    server: &Server,
    identity: &Identity,
    resumed: bool,
) {
    let mut stream = visit_in_memory(client, server);
    assert_seen(&seen(&mut stream), identity, resumed);
}

/// R38.
pub(crate) fn a_rotated_credential_resumes_no_old_session<B: Backend>() {
    each(|library, version| {
        let server = demanding(library, version);
        let mut identity = identity();
        let source = Arc::new(RotatingCredential::new(credential(&identity)));
        let client = builder::<B>().client_credentials(Arc::clone(&source));
        let client = client.build().expect("valid settings");
        for rotation in 0..=ROTATIONS {
            for count in 0..CONNECTIONS {
                assert_visit(&client, &server, &identity, count > 0);
            }
            // It begins before the rotation, and receives its tickets after it.
            let mut late = start(&client, &server);
            let old = std::mem::replace(&mut identity, self::identity());
            source.set(credential(&identity));
            talk(&mut late);
            assert_seen(&seen(&mut late), &old, true);
            assert!(client.client_certificate_error().is_none(), "{rotation}");
        }
        assert_visit(&client, &server, &identity, false);
    });
}

/// R38: not even for a moment, whatever other threads do.
pub(crate) fn threads_never_use_an_older_credential<B: Backend>() {
    let server = demanding(Library::Rustls, Protocol::Tls13);
    let identities: Vec<_> = (0..20).map(|_| identity()).collect();
    let source = Arc::new(RotatingCredential::new(credential(&identities[0])));
    let client = builder::<B>().client_credentials(Arc::clone(&source));
    let client = client.build().expect("valid settings");
    let current = AtomicUsize::new(0);
    let visit = || {
        let before = current.load(Ordering::SeqCst);
        let facts = seen(&mut visit_in_memory(&client, &server));
        let is_seen =
            |identity: &Identity| facts.client_leaf.as_deref() == Some(&identity.chain[0][..]);
        let index = identities.iter().position(is_seen).expect("an identity");
        assert!(index >= before, "{index} after {before}");
        facts.resumed
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while current.load(Ordering::SeqCst) + 1 < identities.len() {
                    visit();
                }
            });
        }
        for (index, identity) in identities.iter().enumerate().skip(1) {
            for _ in 0..3 {
                visit();
            }
            source.set(credential(identity));
            current.store(index, Ordering::SeqCst);
        }
    });
    visit();
    assert!(visit());
}

/// R38.
pub(crate) fn a_connector_with_another_certificate_shares_the_store<B: Backend>() {
    each(|library, version| {
        let server = demanding(library, version);
        let (old, new) = (identity(), identity());
        let client = builder::<B>().client_certificate(old.chain.clone(), old.key.clone_key());
        let client = client.build().expect("valid settings");
        assert_visit(&client, &server, &old, false);
        let before = client.stats().sessions;

        let renewed = client.with_client_certificate(new.chain.clone(), new.key.clone_key());
        let renewed = renewed.expect("a certificate");
        assert_eq!(renewed.stats(), client.stats());
        assert_ne!(renewed.security_domain(), client.security_domain());
        assert_visit(&renewed, &server, &new, false);
        assert_visit(&renewed, &server, &new, true);
        assert_visit(&client, &server, &old, true);
        assert!(client.stats().sessions > before);
        assert_eq!(renewed.stats(), client.stats());
        renewed.clear();
        assert_eq!(client.stats().sessions, 0);

        let mixed = client.with_client_certificate(new.chain, old.key);
        let line = error_line(mixed, ErrorKind::Config);
        assert!(line.contains("client certificate"), "{line}");
    });
}

/// R38: the sessions of other domains stay.
pub(crate) fn a_connector_with_other_roots_shares_the_store<B: Backend>() {
    for version in Protocol::ALL {
        let server = Server::new(Library::OpenSsl, &settings(version));
        let client = builder::<B>().build().expect("valid settings");
        visit_in_memory(&client, &server);
        let other = Authority::new(KeyKind::EcdsaP256);
        let both = client.with_roots([authority().root_der(), other.root_der()]);
        let both = both.expect("roots");
        assert_eq!(
            visit_in_memory(&both, &server).resumption(),
            Resumption::Full
        );
        let resumed = [&both, &client].map(|it| visit_in_memory(it, &server).resumption());
        assert_eq!(resumed, [Resumption::Resumed; 2]);

        let only_other = client.with_roots([other.root_der()]).expect("a root");
        let io = Memory(lab::transport::InMemory::new(&server));
        let failed = only_other.connect_stream(crate::servers::HOST, 443, io);
        error_line(failed, ErrorKind::Certificate);
        assert_eq!(
            visit_in_memory(&client, &server).resumption(),
            Resumption::Resumed
        );
        error_line(client.with_roots([]), ErrorKind::Config);
    }
}

/// R38: the key is replaced after the certificate, and in two parts.
pub(crate) fn files_that_are_half_replaced_are_not_used<B: Backend>() {
    let server = demanding(Library::Rustls, Protocol::Tls13);
    let (old, new) = (identity(), identity());
    let chain = TemporaryFile::new("rotating-chain", old.chain_pem());
    let key = TemporaryFile::new("rotating-key", old.key_pem());
    let files = CredentialFiles::open(&chain.0, &key.0).expect("files");
    let client = builder::<B>().client_credentials(files).build();
    let client = client.expect("valid settings");
    assert_visit(&client, &server, &old, false);
    let key_pem = new.key_pem();
    for (file, content) in [
        (&chain, &new.chain_pem()[..]),
        (&key, &key_pem[..key_pem.len() / 2]),
        (&key, ""),
    ] {
        fs::write(&file.0, content).expect("a write");
        thread::sleep(LOOK);
        assert_visit(&client, &server, &old, true);
        let error = client.client_certificate_error().expect("a reason");
        assert!(!error.contains("PRIVATE"), "{error}");
    }
    fs::write(&key.0, key_pem).expect("a write");
    thread::sleep(LOOK);
    assert_visit(&client, &server, &new, false);
    assert_visit(&client, &server, &new, true);
    assert_eq!(client.client_certificate_error(), None);
}

pub(crate) fn a_first_credential_that_does_not_match_is_rejected<B: Backend>() {
    let (one, other) = (identity(), identity());
    let mixed = ClientCredential::new(one.chain, other.key);
    let built = builder::<B>().client_credentials(RotatingCredential::new(mixed));
    let line = error_line(built.build(), ErrorKind::Config);
    assert!(line.contains("client certificate"), "{line}");
}

/// R24.
#[test]
fn debug_of_a_credential_shows_no_key() {
    let source = RotatingCredential::new(credential(&identity()));
    let shown = format!("{source:?} {:?}", source.current());
    assert!(shown.contains("certificates: 2"), "{shown}");
    assert!(shown.len() < 300, "{shown}");
}
