//! R4: who may resume what.

mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::{
    Client, HOST, OTHER, PORT, authority, builder, builder_trusting, close, each, of, server,
    settings, talk,
};
use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{ErrorCode, Ssl, SslSessionRef, SslVerifyMode};
use openssl::x509::X509;
use store_core::Limits;

/// R4: a failed verification stores nothing.
#[test]
fn an_unknown_root_stores_nothing() {
    let unknown = Authority::new(KeyKind::EcdsaP256);
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::with(builder_trusting(&unknown, protocol), Limits::default());
        let refused = client.connector.connect(HOST, PORT, InMemory::new(&server));
        assert!(refused.is_err());
        assert_eq!(client.stats().stored, 0, "{library} {protocol}");
    });
}

/// R4: a session whose name was not checked is not offered where it must be; the other way round
/// it is.
#[test]
fn an_unchecked_name_does_not_pass_for_a_checked_one() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        drop(client.run(client.ssl(false), &server));
        let strict = client.run(client.ssl(true), &server);
        assert!(!strict.ssl().session_reused() && !of(&strict).offered());
        drop(strict);
        assert!(client.run(client.ssl(true), &server).ssl().session_reused());
        assert!(
            client
                .run(client.ssl(false), &server)
                .ssl()
                .session_reused()
        );
    });
}

/// R4: a name is not another name, whatever the key says.
#[test]
fn a_name_does_not_pass_for_another() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        assert!(!client.visit(&server));
        let mut ssl = client.ssl(true);
        ssl.param_mut().set_host(OTHER).unwrap();
        assert!(!client.run(ssl, &server).ssl().session_reused());
    }
}

/// R4: every name that is demanded counts, an address next to a host too.
#[test]
fn an_address_next_to_the_name_is_demanded_too() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        let demanding = || {
            let mut ssl = client.ssl(true);
            let address = IpAddr::from(Ipv4Addr::LOCALHOST);
            ssl.param_mut().set_ip(address).unwrap();
            client.connector.prepare(&mut ssl, client.key());
            ssl.connect(InMemory::new(&server)).is_ok()
        };
        assert!(!demanding(), "the certificate is not for that address");
        assert!(!client.visit(&server));
        assert!(
            !demanding(),
            "and a session does not change that ({protocol})"
        );
    }
}

/// R4: what was made without verification is not offered under verification, nor are the tickets
/// of its resumptions.
#[test]
fn unverified_sessions_stay_unverified() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        assert!(!client.run_under(SslVerifyMode::NONE, &server));
        assert!(client.run_under(SslVerifyMode::NONE, &server));
        assert!(
            client.run_under(SslVerifyMode::NONE, &server),
            "a ticket of a resumption"
        );
        let offered = client.stats().offered;
        assert!(
            !client.run_under(SslVerifyMode::PEER, &server),
            "{library} {protocol}"
        );
        assert_eq!(client.stats().offered, offered);
    });
}

/// R4: tickets of a resumed connection inherit the verification that the first one made, even if
/// the resumed one did not ask for it.
#[test]
fn verified_sessions_stay_verified() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        assert!(!client.run_under(SslVerifyMode::PEER, &server));
        for _ in 0..3 {
            assert!(client.run_under(SslVerifyMode::NONE, &server));
        }
        assert!(
            client.run_under(SslVerifyMode::PEER, &server),
            "{library} {protocol}"
        );
    });
}

/// R4: a verify callback that lets an invalid chain pass: nothing is stored, because the verdict
/// cannot be repeated. A callback that changes nothing does not matter.
#[test]
fn an_overruled_verification_stores_nothing() {
    let unknown = Authority::new(KeyKind::EcdsaP256);
    each(|library, protocol| {
        let server = server(library, protocol);
        for (root, stored) in [(&unknown, false), (authority(), true)] {
            let mut overruled = builder_trusting(root, protocol);
            overruled.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
            let client = Client::with(overruled, Limits::default());
            assert!(!client.visit(&server));
            assert_eq!(client.stats().stored > 0, stored, "{library} {protocol}");
            assert_eq!(client.visit(&server), stored);
        }
    });
}

/// R4: `forget` revokes what was stored and refuses what comes later.
#[test]
fn forget_revokes() {
    each(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        talk(&mut stream);
        assert!(client.stats().sessions > 0);
        of(&stream).forget();
        of(&stream).forget();
        assert_eq!(client.stats().sessions, 0);
        close(&mut stream);
        assert!(!client.visit(&server), "{library} {protocol}");

        // The reusable session that was resumed from goes, too; and the renewed one.
        let mut resumed = client.start(&server);
        talk(&mut resumed);
        assert!(resumed.ssl().session_reused());
        of(&resumed).forget();
        let left = client.stats().sessions;
        assert_eq!(left, u64::from(protocol == Protocol::Tls13), "{library}");
    });
}

/// R4: tickets that come after `forget` are counted, not stored.
#[test]
fn forget_refuses_late_tickets() {
    let server = server(Library::OpenSsl, Protocol::Tls13);
    let client = Client::new(Protocol::Tls13);
    let mut stream = client.start(&server);
    of(&stream).forget();
    talk(&mut stream);
    assert_eq!(of(&stream).tickets(), 2);
    assert_eq!(client.stats().stored, 0);
}

/// R20: looking at the demanded name leaves no error behind: a read with nothing to read must not
/// look like a broken connection.
#[test]
fn the_error_queue_stays_as_it_was() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::with(builder(protocol), Limits::default());
        for _ in 0..2 {
            let mut ssl = client.ssl(false);
            client.connector.prepare(&mut ssl, client.key());
            assert!(ErrorStack::get().errors().is_empty(), "after prepare");
            let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
            let error = stream.ssl_read(&mut [0]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::WANT_READ, "{protocol}: {error:?}");
            assert!(ErrorStack::get().errors().is_empty(), "after tickets");
            close(&mut stream);
        }
    }
}

/// R1: an `Ssl` that is prepared again does not keep the offer that was meant for another server.
#[test]
fn preparing_again_takes_the_offer_back() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        client.visit(&server);
        let mut ssl = client.ssl(true);
        client.connector.prepare(&mut ssl, client.key());
        client
            .connector
            .prepare(&mut ssl, client.connector.key(OTHER, PORT));
        let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
        talk(&mut stream);
        let facts = stream.get_mut().server().facts().unwrap();
        assert!(
            !facts.offered && !stream.ssl().session_reused(),
            "{protocol}"
        );
    }
}

/// R4: of a session that the application set itself, the store knows nothing: it is taken back by
/// `prepare`, and what comes of it later is not stored.
#[test]
fn sessions_of_the_application_are_not_ours() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let client = Client::new(protocol);
        let run = |before: Option<&SslSessionRef>, after: Option<&SslSessionRef>| {
            let mut ssl = client.ssl(true);
            let set = |ssl: &mut Ssl, session: Option<&SslSessionRef>| {
                if let Some(session) = session {
                    // SAFETY: the session comes from a connection of this very context.
                    unsafe { ssl.set_session(session) }.unwrap();
                }
            };
            set(&mut ssl, before);
            client.connector.prepare(&mut ssl, client.key());
            set(&mut ssl, after);
            let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
            talk(&mut stream);
            let resumed = stream.ssl().session_reused();
            let own = stream.ssl().session().unwrap().to_owned();
            close(&mut stream);
            (resumed, client.stats().sessions, own)
        };
        let (_, stored, own) = run(None, None);
        assert!(stored > 0);
        client.sessions.store().clear();
        let (resumed, stored, _) = run(None, Some(&own));
        assert_eq!((resumed, stored), (true, 0), "{protocol}");
        let (resumed, stored, _) = run(Some(&own), None);
        assert!(!resumed && stored > 0, "{protocol}");
    }
}

/// R4, R16: a flood of tickets is cut to the limit, and `forget` still finds all that is left.
#[test]
fn forget_finds_every_ticket_of_a_flood() {
    for library in Library::ALL {
        let settings = ServerSettings {
            tickets: 100,
            ..settings(Protocol::Tls13)
        };
        let server = Server::new(library, &settings);
        let limits = Limits::default().with_sessions_per_server(7);
        let client = Client::with(builder(Protocol::Tls13), limits);
        let mut stream = client.start(&server);
        talk(&mut stream);
        assert_eq!((of(&stream).tickets(), client.stats().sessions), (100, 7));
        of(&stream).forget();
        assert_eq!(client.stats().sessions, 0);
    }
}

/// R4: a session from a connection whose demands were changed after `prepare` is not stored.
#[test]
fn changed_demands_store_nothing() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        let mut dropped = client.ssl(true);
        client.connector.prepare(&mut dropped, client.key());
        dropped.param_mut().set_host("").unwrap();
        let mut stream = dropped.connect(InMemory::new(&server)).unwrap();
        talk(&mut stream);
        assert!(of(&stream).tickets() > 0);
        assert_eq!(client.stats().stored, 0, "{protocol}");
    }
}

/// R1: a connection with a client certificate of its own is another client (CVE-2016-5419): its
/// session is not offered to a connection with another one, or with none, and the other way round.
#[test]
fn another_certificate_is_another_client() {
    let identities = ["one", "other"].map(|name| authority().issue_client(name));
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        let as_identity = |identity: Option<&Identity>| {
            let mut ssl = client.ssl(true);
            if let Some(Identity { chain, key }) = identity {
                let key = PKey::private_key_from_der(key.secret_der()).unwrap();
                ssl.set_certificate(&X509::from_der(&chain[0]).unwrap())
                    .unwrap();
                ssl.set_private_key(&key).unwrap();
            }
            let mut stream = client.run(ssl, &server);
            close(&mut stream);
            stream.ssl().session_reused()
        };
        let [one, other] = &identities;
        for identity in [Some(one), Some(other), None] {
            client.sessions.store().clear();
            assert!(!as_identity(identity));
            for another in [Some(one), Some(other), None] {
                let same = identity.map(|it| &it.chain) == another.map(|it| &it.chain);
                if !same {
                    assert!(!as_identity(another), "{protocol}");
                    client.sessions.store().clear();
                    assert!(!as_identity(identity));
                }
            }
            assert!(as_identity(identity), "{protocol}");
        }
    }
}
