//! R4: which connection may resume which session.

use std::net::{IpAddr, Ipv4Addr};

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{ErrorCode, Ssl, SslSessionRef, SslVerifyMode};
use openssl::x509::X509;
use store_core::Limits;

use crate::client::{
    Client, HOST, OTHER, PORT, authority, builder, builder_trusting, close, connection_of, echo,
    for_each_server, server, settings,
};

/// R4: the verification fails.
#[test]
fn an_unknown_root_stores_nothing() {
    let unknown = Authority::new(KeyKind::EcdsaP256);
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::with(builder_trusting(&unknown, protocol), Limits::default());
        let refused = client.connector.connect(HOST, PORT, InMemory::new(&server));
        assert!(refused.is_err());
        assert_eq!(client.stats().stored, 0, "{library} {protocol}");
    });
}

/// R4: a session made without a name check is not offered where the name is checked. The reverse is
/// allowed.
#[test]
fn a_session_without_a_name_check_is_not_offered_under_one() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        drop(client.connect(client.ssl(false), &server));
        let strict = client.connect(client.ssl(true), &server);
        assert!(!strict.ssl().session_reused() && !connection_of(&strict).offered());
        drop(strict);
        assert!(
            client
                .connect(client.ssl(true), &server)
                .ssl()
                .session_reused()
        );
        assert!(
            client
                .connect(client.ssl(false), &server)
                .ssl()
                .session_reused()
        );
    });
}

/// R4: even under the same key.
#[test]
fn a_session_checked_for_one_name_is_not_offered_for_another() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        assert!(!client.visit(&server));
        let mut ssl = client.ssl(true);
        ssl.param_mut().set_host(OTHER).unwrap();
        assert!(!client.connect(ssl, &server).ssl().session_reused());
    }
}

/// R4: every required name counts, also an address beside a host.
#[test]
fn an_address_required_beside_the_host_counts() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        let connects = || {
            let mut ssl = client.ssl(true);
            let address = IpAddr::from(Ipv4Addr::LOCALHOST);
            ssl.param_mut().set_ip(address).unwrap();
            client.connector.prepare(&mut ssl, client.key());
            ssl.connect(InMemory::new(&server)).is_ok()
        };
        assert!(!connects(), "the certificate does not have the address");
        assert!(!client.visit(&server));
        assert!(!connects(), "nor does the session ({protocol})");
    }
}

/// R4: neither a session made without verification nor the tickets of its resumptions are offered
/// under verification.
#[test]
fn unverified_sessions_stay_unverified() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        assert!(!client.visit_with_mode(SslVerifyMode::NONE, &server));
        assert!(client.visit_with_mode(SslVerifyMode::NONE, &server));
        assert!(
            client.visit_with_mode(SslVerifyMode::NONE, &server),
            "with a ticket of the resumption"
        );
        let offered = client.stats().offered;
        assert!(
            !client.visit_with_mode(SslVerifyMode::PEER, &server),
            "{library} {protocol}"
        );
        assert_eq!(client.stats().offered, offered);
    });
}

/// R4: tickets of a resumed connection inherit the verification of the full handshake, even if the
/// resumed connection required none.
#[test]
fn verified_sessions_stay_verified() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        assert!(!client.visit_with_mode(SslVerifyMode::PEER, &server));
        for _ in 0..3 {
            assert!(client.visit_with_mode(SslVerifyMode::NONE, &server));
        }
        assert!(
            client.visit_with_mode(SslVerifyMode::PEER, &server),
            "{library} {protocol}"
        );
    });
}

/// R4: when a verify callback accepts an invalid chain, nothing is stored, because its verdict cannot
/// be repeated. A callback that changes no verdict has no effect.
#[test]
fn an_overruled_verification_stores_nothing() {
    let unknown = Authority::new(KeyKind::EcdsaP256);
    for_each_server(|library, protocol| {
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

/// R4: with the session that was resumed, and the older ones.
#[test]
fn forget_revokes_the_sessions_of_the_connection() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        echo(&mut stream);
        assert!(client.stats().sessions > 0);
        connection_of(&stream).forget();
        connection_of(&stream).forget();
        assert_eq!(client.stats().sessions, 0);
        close(&mut stream);
        assert!(!client.visit(&server), "{library} {protocol}");

        let mut resumed = client.start(&server);
        echo(&mut resumed);
        assert!(resumed.ssl().session_reused());
        connection_of(&resumed).forget();
        assert_eq!(client.stats().sessions, 0, "{library} {protocol}");
    });
}

/// R4: tickets received after `forget` are counted and not stored.
#[test]
fn tickets_received_after_forget_are_not_stored() {
    let server = server(Library::OpenSsl, Protocol::Tls13);
    let client = Client::new(Protocol::Tls13);
    let mut stream = client.start(&server);
    connection_of(&stream).forget();
    echo(&mut stream);
    assert_eq!(connection_of(&stream).tickets(), 2);
    assert_eq!(client.stats().stored, 0);
}

/// R20: reading the required names leaves no error behind. With one, OpenSSL would report an empty
/// read as a broken connection.
#[test]
fn the_error_queue_stays_empty() {
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

/// R1: an `Ssl` prepared again does not offer a session of the first server.
#[test]
fn preparing_again_withdraws_the_first_offer() {
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
        echo(&mut stream);
        let facts = stream.get_mut().server().facts().unwrap();
        assert!(
            !facts.offered && !stream.ssl().session_reused(),
            "{protocol}"
        );
    }
}

/// R4: `prepare` removes a session that the application set before. If the application sets one
/// later, sessions of that resumption are not stored: their verification is not known.
#[test]
fn sessions_set_by_the_application_are_not_stored() {
    for protocol in Protocol::ALL {
        let server = server(Library::Rustls, protocol); // renews in both versions
        let client = Client::new(protocol);
        let run = |before: Option<&SslSessionRef>, after: Option<&SslSessionRef>| {
            let mut ssl = client.ssl(true);
            let set = |ssl: &mut Ssl, session: Option<&SslSessionRef>| {
                if let Some(session) = session {
                    // SAFETY: the session comes from a connection of this context.
                    unsafe { ssl.set_session(session) }.unwrap();
                }
            };
            set(&mut ssl, before);
            client.connector.prepare(&mut ssl, client.key());
            set(&mut ssl, after);
            let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
            echo(&mut stream);
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

/// R4, R16: the store keeps as many tickets as the limit allows, and `forget` removes all of them.
#[test]
fn forget_removes_every_ticket_of_a_flood() {
    for library in Library::ALL {
        let settings = ServerSettings {
            tickets: 100,
            ..settings(Protocol::Tls13)
        };
        let server = Server::new(library, &settings);
        let limits = Limits::default().with_sessions_per_server(7);
        let client = Client::with(builder(Protocol::Tls13), limits);
        let mut stream = client.start(&server);
        echo(&mut stream);
        assert_eq!(
            (connection_of(&stream).tickets(), client.stats().sessions),
            (100, 7)
        );
        connection_of(&stream).forget();
        assert_eq!(client.stats().sessions, 0);
    }
}

/// R4: requirements changed after `prepare`.
#[test]
fn changed_requirements_store_nothing() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        let mut ssl = client.ssl(true);
        client.connector.prepare(&mut ssl, client.key());
        ssl.param_mut().set_host("").unwrap();
        let mut stream = ssl.connect(InMemory::new(&server)).unwrap();
        echo(&mut stream);
        assert!(connection_of(&stream).tickets() > 0);
        assert_eq!(client.stats().stored, 0, "{protocol}");
    }
}

/// R1: a client certificate set on a connection alone makes it another client (CVE-2016-5419). Its
/// session is not offered to a connection with another certificate or with none, nor the reverse.
#[test]
fn another_client_certificate_is_another_client() {
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
            let mut stream = client.connect(ssl, &server);
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
