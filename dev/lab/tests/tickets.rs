//! What becomes of tickets: keys that servers share or do not, declining, and the reasons for it.

mod common;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use common::{Client, ClientSettings, NAME, client};
use lab::certificate::{Authority, KeyKind};
use lab::server::{
    DeclineReason, Handshake, Library, Protocol, Server, ServerSettings, TicketKeys,
};
use lab::transport::InMemory;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};

/// Each library as a server, with a client of the other one, in each version.
fn each(test: impl Fn(Library, &ServerSettings, &dyn Client)) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut settings = ServerSettings::new(authority.issue(&[NAME]));
    for protocol in Protocol::ALL {
        settings.protocols = vec![protocol];
        let with = ClientSettings::new(&authority, &[protocol]);
        for (server, other) in [
            (Library::Rustls, Library::OpenSsl),
            (Library::OpenSsl, Library::Rustls),
        ] {
            test(server, &settings, &*client(other, &with));
        }
    }
}

fn connect(client: &dyn Client, server: &Server) -> Handshake {
    let mut transport = InMemory::new(server);
    client.exchange(&mut transport).expect("a handshake");
    transport.server().facts().expect("a handshake")
}

/// Connects to a server that is watched: whether it resumed, the tickets it made, why it declined.
fn watch(
    client: &dyn Client,
    server: &Server,
    declines: bool,
) -> (bool, usize, Option<DeclineReason>) {
    let mut transport = InMemory::new(server);
    *transport.server() = server.observed_connection(declines);
    client.exchange(&mut transport).expect("a handshake");
    let server = transport.server();
    let resumed = server.facts().expect("a handshake").resumed;
    let made = server.tickets_made().expect("it is watched");
    (resumed, made, server.decline_reason())
}

#[test]
fn a_fleet_has_one_set_of_keys_and_strangers_have_others() {
    each(|library, settings, client| {
        let shared = ServerSettings {
            ticket_keys: Some(TicketKeys::new()),
            ..settings.clone()
        };
        let [one, another] = [(); 2].map(|()| Server::new(library, &shared));
        let stranger = Server::new(library, settings);
        assert!(!connect(client, &one).resumed);
        assert!(connect(client, &another).resumed);
        assert!(connect(client, &one).resumed);
        let at_stranger = connect(client, &stranger);
        assert!(at_stranger.offered && !at_stranger.resumed);
        assert!(connect(client, &stranger).resumed);
        assert!(!connect(client, &one).resumed);

        one.rotate_keys();
        assert!(
            !connect(client, &one).resumed,
            "given keys outlive a rotation"
        );
        assert!(
            !connect(client, &another).resumed,
            "one server rotates alone"
        );
    });
}

#[test]
fn a_ticket_that_is_declined_is_followed_by_good_ones() {
    each(|library, settings, client| {
        let tickets = match settings.protocols[..] {
            [Protocol::Tls12] => 1,
            _ => settings.tickets,
        };
        let server = Server::new(library, settings);
        let full = (false, tickets);
        let (resumed, made, refusal) = watch(client, &server, true);
        assert_eq!(
            ((resumed, made), refusal),
            (full, None),
            "nothing is offered"
        );
        let (resumed, _, refusal) = watch(client, &server, false);
        assert_eq!((resumed, refusal), (true, None));
        let (resumed, made, refusal) = watch(client, &server, true);
        assert_eq!(
            ((resumed, made), refusal),
            (full, Some(DeclineReason::Requested))
        );
        let (resumed, _, refusal) = watch(client, &server, false);
        assert_eq!((resumed, refusal), (true, None));
    });
}

#[test]
fn the_reason_of_a_refusal_is_known() {
    each(|library, settings, client| {
        let settings = ServerSettings {
            lifetime: Some(Duration::from_secs(1)),
            ..settings.clone()
        };
        let server = Server::new(library, &settings);
        assert!(!watch(client, &server, false).0);
        server.rotate_keys();
        let (resumed, _, refusal) = watch(client, &server, false);
        assert_eq!((resumed, refusal), (false, Some(DeclineReason::UnknownKey)));
        // What the client has to offer after a full handshake of its own; it does not look at the
        // age where its server's library is rustls, since its own is OpenSSL.
        if library == Library::Rustls {
            thread::sleep(Duration::from_millis(2_100));
            let (resumed, _, refusal) = watch(client, &server, false);
            assert_eq!((resumed, refusal), (false, Some(DeclineReason::Expired)));
        }
    });
}

#[test]
fn an_outdated_server_speaks_nothing_newer() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut settings = ServerSettings::new(authority.issue(&[NAME]));
    settings.openssl.outdated = true;
    let server = Server::new(Library::OpenSsl, &settings);
    for library in Library::ALL {
        let client = client(library, &ClientSettings::new(&authority, &Protocol::ALL));
        let mut transport = InMemory::new(&server);
        assert!(client.exchange(&mut transport).is_err(), "{library}");
        assert!(transport.server().failed().is_some());
    }

    for version in [SslVersion::TLS1, SslVersion::TLS1_1] {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_security_level(0);
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let ssl = Ssl::new(&context.build()).unwrap();
        let mut stream = SslStream::new(ssl, InMemory::new(&server)).unwrap();
        stream.connect().unwrap();
        assert_eq!(stream.ssl().version2(), Some(version));
        stream.write_all(b"request").unwrap();
        let mut echo = [0; 7];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"request");
        assert_eq!(stream.get_mut().server().facts(), None);
    }
}

#[test]
fn without_echo_the_data_is_the_callers() {
    each(|library, settings, _| {
        let server = Server::new(library, settings);
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_verify(openssl::ssl::SslVerifyMode::NONE);
        let ssl = Ssl::new(&context.build()).unwrap();
        let mut transport = InMemory::new(&server);
        *transport.server() = server.connection().without_echo();
        let mut stream = SslStream::new(ssl, transport).unwrap();
        stream.connect().unwrap();
        stream.write_all(b"question").unwrap();
        let server = stream.get_mut().server();
        assert_eq!(server.received(), b"question");
        assert_eq!(server.received(), b"");
        server.write(b"answer");
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
    });
}

#[test]
fn certificates_of_another_time_are_refused() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut settings = ServerSettings::new(authority.issue_not_yet_valid(&[NAME]));
    settings.protocols = Protocol::ALL.to_vec();
    for (server, library, says) in [
        (Library::OpenSsl, Library::Rustls, "not valid yet"),
        (Library::Rustls, Library::OpenSsl, "not yet valid"),
    ] {
        let client = client(library, &ClientSettings::new(&authority, &Protocol::ALL));
        let mut transport = InMemory::new(&Server::new(server, &settings));
        let error = client.exchange(&mut transport).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
