//! Server settings, and the ends of connections.

use std::io::{self, ErrorKind, Read, Write};

use crate::clients::{ClientSettings, NAME, client};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol, Server, ServerResumption, ServerSettings};
use lab::transport::InMemory;

fn authority_and_settings() -> (Authority, ServerSettings) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings::new(authority.issue(&[NAME]));
    (authority, settings)
}

/// Each combination of server and client library.
fn pairs() -> impl Iterator<Item = (Library, Library)> {
    Library::ALL
        .into_iter()
        .flat_map(|server| Library::ALL.map(|client| (server, client)))
}

#[test]
fn client_certificates_are_required_and_reported() {
    let (authority, mut settings) = authority_and_settings();
    let clients = Authority::new(KeyKind::EcdsaP256);
    settings.client_root = Some(clients.root_der());
    for (server_library, client_library) in pairs() {
        for protocol in Protocol::ALL {
            for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
                settings.resumption = resumption;
                let server = Server::new(server_library, &settings);
                let mut with = ClientSettings::new(&authority, &[protocol]);
                let without = client(client_library, &with);
                let mut transport = InMemory::new(&server);
                assert!(without.exchange(&mut transport).is_err());
                assert!(transport.server().failed().is_some());
                assert_eq!(transport.server().facts(), None);

                with.identity = Some(clients.issue_client("client.lab.example"));
                let with = client(client_library, &with);
                for resumed in [false, true] {
                    let mut transport = InMemory::new(&server);
                    with.exchange(&mut transport)
                        .expect("the certificate is valid");
                    let facts = transport.server().facts().unwrap();
                    assert_eq!((facts.resumed, facts.client_certificate), (resumed, true));
                }
            }
        }
    }
}

#[test]
fn expired_certificates_are_rejected() {
    let (authority, mut settings) = authority_and_settings();
    settings.identity = authority.issue_expired(&[NAME]);
    for (server, client_library) in pairs() {
        let client = client(
            client_library,
            &ClientSettings::new(&authority, &Protocol::ALL),
        );
        let mut transport = InMemory::new(&Server::new(server, &settings));
        let error = client.exchange(&mut transport).unwrap_err();
        assert!(error.contains("expired"), "{error}");
    }
}

#[test]
fn clients_without_a_common_application_protocol_are_rejected() {
    let (authority, mut settings) = authority_and_settings();
    settings.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    for (server, client_library) in pairs() {
        let server = Server::new(server, &settings);
        for (offered, accepted) in [(&b"http/1.1"[..], true), (b"h3", false)] {
            let mut settings = ClientSettings::new(&authority, &Protocol::ALL);
            settings.alpn = vec![offered.to_vec()];
            let client = client(client_library, &settings);
            let mut transport = InMemory::new(&server);
            assert_eq!(client.exchange(&mut transport).is_ok(), accepted);
            assert_eq!(transport.server().failed().is_none(), accepted);
        }
    }
}

#[test]
fn early_data_is_accepted_with_a_session() {
    let (authority, mut settings) = authority_and_settings();
    settings.max_early_data = 1024;
    for (server, client_library) in pairs() {
        let server = Server::new(server, &settings);
        let mut settings = ClientSettings::new(&authority, &[Protocol::Tls13]);
        settings.early_data = true;
        let client = client(client_library, &settings);
        for early_data in [false, true, true] {
            let mut transport = InMemory::new(&server);
            client
                .exchange(&mut transport)
                .expect("the exchange succeeds");
            let facts = transport.server().facts().unwrap();
            assert_eq!((facts.resumed, facts.early_data), (early_data, early_data));
            assert_eq!(transport.server().early_data().is_empty(), !early_data);
        }
    }
}

#[test]
fn each_supported_group_is_negotiated() {
    let (authority, mut settings) = authority_and_settings();
    for group in [Group::X25519, Group::X25519MlKem768, Group::P256] {
        settings.groups = vec![group];
        for (server, client_library) in pairs() {
            if server.supports(group) && client_library.supports(group) {
                let client = client(
                    client_library,
                    &ClientSettings::new(&authority, &[Protocol::Tls13]),
                );
                let mut transport = InMemory::new(&Server::new(server, &settings));
                client
                    .exchange(&mut transport)
                    .expect("both have the group");
            }
        }
    }
}

#[test]
fn closing_sends_close_notify_and_then_the_end() {
    let (authority, settings) = authority_and_settings();
    for (server, client_library) in pairs() {
        let server = Server::new(server, &settings);
        let client = client(
            client_library,
            &ClientSettings::new(&authority, &Protocol::ALL),
        );
        let mut transport = InMemory::new(&server);
        let mut buffer = [0; 1024];
        let error = transport.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        client
            .exchange(&mut transport)
            .expect("the exchange succeeds");
        transport.server().close();
        assert!(transport.server().is_closed());
        assert!(transport.read(&mut buffer).unwrap() > 0, "close_notify");
        assert_eq!(transport.read(&mut buffer).unwrap(), 0);

        let mut transport = ClosesEarly(InMemory::new(&server));
        client
            .exchange(&mut transport)
            .expect_err("the request is not echoed");
        let server = transport.0.server();
        assert!(server.facts().is_some());
        assert_eq!(
            server.failed(),
            None,
            "data after the close is not a failure"
        );
    }
}

/// Closes the server's end once the handshake is completed, before the request.
struct ClosesEarly(InMemory);

impl Read for ClosesEarly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for ClosesEarly {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.0.write(buffer)?;
        if self.0.server().facts().is_some() {
            self.0.server().close();
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_cut_transport_ends_without_close_notify() {
    let (_, settings) = authority_and_settings();
    for library in Library::ALL {
        let mut transport = InMemory::new(&Server::new(library, &settings));
        transport.cut();
        assert_eq!(transport.read(&mut [0; 16]).unwrap(), 0);
        assert_eq!(
            transport.write(b"hello").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    }
}

#[test]
fn plain_text_fails_the_connection() {
    let (_, settings) = authority_and_settings();
    for library in Library::ALL {
        let mut transport = InMemory::new(&Server::new(library, &settings));
        transport.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(transport.server().failed().is_some());
        assert!(transport.server().is_closed());
    }
}

#[test]
fn chains_have_about_the_size_of_public_ones() {
    for (kind, sizes) in [
        (KeyKind::EcdsaP256, 800..1200),
        (KeyKind::Rsa2048, 1100..1700),
    ] {
        let authority = Authority::new(kind);
        let identity = authority.issue(&[NAME, "127.0.0.1", "::1"]);
        assert!(
            sizes.contains(&identity.chain[0].len()),
            "{}",
            identity.chain[0].len()
        );
        assert_eq!(identity.chain_pem().matches("BEGIN CERTIFICATE").count(), 2);
        assert!(identity.key_pem().contains("BEGIN PRIVATE KEY"));
        assert!(authority.root_pem().contains("BEGIN CERTIFICATE"));
        assert_eq!(format!("{identity:?}"), "Identity { certificates: 2, .. }");
    }
}
