//! Ticket keys, declined tickets and the reasons, legacy versions, and connections without echo.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use crate::clients::{Client, ClientSettings, NAME, client};
use lab::certificate::{Authority, KeyKind};
use lab::server::{
    DeclineReason, Handshake, Library, Protocol, Server, ServerSettings, TicketKeys,
};
use lab::transport::InMemory;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};

/// Runs a test with each library as the server, the other one as the client, and each version.
fn for_each_server(test: impl Fn(Library, &ServerSettings, &dyn Client)) {
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

/// Makes an observed connection: whether it was resumed, how many tickets the server made, and why
/// it declined.
fn observe(
    client: &dyn Client,
    server: &Server,
    decline: bool,
) -> (bool, usize, Option<DeclineReason>) {
    let mut transport = InMemory::new(server);
    *transport.server() = server.observed_connection(decline);
    client.exchange(&mut transport).expect("a handshake");
    let server = transport.server();
    let resumed = server.facts().expect("a handshake").resumed;
    let made = server.tickets_made().expect("the connection is observed");
    (resumed, made, server.decline_reason())
}

#[test]
fn servers_with_the_same_keys_accept_each_others_tickets() {
    for_each_server(|library, settings, client| {
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
            "rotation replaces configured keys"
        );
        assert!(
            !connect(client, &another).resumed,
            "other servers keep their keys"
        );
    });
}

#[test]
fn servers_that_decline_still_issue_valid_tickets() {
    for_each_server(|library, settings, client| {
        let tickets = match settings.protocols[..] {
            [Protocol::Tls12] => 1,
            _ => settings.tickets,
        };
        let server = Server::new(library, settings);
        let full = (false, tickets);
        let (resumed, made, reason) = observe(client, &server, true);
        assert_eq!(
            ((resumed, made), reason),
            (full, None),
            "nothing is offered"
        );
        let (resumed, _, reason) = observe(client, &server, false);
        assert_eq!((resumed, reason), (true, None));
        let (resumed, made, reason) = observe(client, &server, true);
        assert_eq!(
            ((resumed, made), reason),
            (full, Some(DeclineReason::Requested))
        );
        let (resumed, _, reason) = observe(client, &server, false);
        assert_eq!((resumed, reason), (true, None));
    });
}

#[test]
fn decline_reasons_are_reported() {
    for_each_server(|library, settings, client| {
        let settings = ServerSettings {
            lifetime: Some(Duration::from_secs(1)),
            ..settings.clone()
        };
        let server = Server::new(library, &settings);
        assert!(!observe(client, &server, false).0);
        server.rotate_keys();
        let (resumed, _, reason) = observe(client, &server, false);
        assert_eq!((resumed, reason), (false, Some(DeclineReason::UnknownKey)));
        // Only with an OpenSSL client, which offers the expired session: a rustls client does not.
        if library == Library::Rustls {
            thread::sleep(Duration::from_millis(2_100));
            let (resumed, _, reason) = observe(client, &server, false);
            assert_eq!((resumed, reason), (false, Some(DeclineReason::Expired)));
        }
    });
}

#[test]
fn outdated_servers_support_only_tls_1_0_and_1_1() {
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
fn without_echo_the_caller_reads_and_writes_the_data() {
    for_each_server(|library, settings, _| {
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
fn certificates_that_are_not_yet_valid_are_rejected() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut settings = ServerSettings::new(authority.issue_not_yet_valid(&[NAME]));
    settings.protocols = Protocol::ALL.to_vec();
    for (server, library, message) in [
        (Library::OpenSsl, Library::Rustls, "not valid yet"),
        (Library::Rustls, Library::OpenSsl, "not yet valid"),
    ] {
        let client = client(library, &ClientSettings::new(&authority, &Protocol::ALL));
        let mut transport = InMemory::new(&Server::new(server, &settings));
        let error = client.exchange(&mut transport).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
