//! `ClientHello::parse` on the messages of both libraries.

use std::io::{self, ErrorKind, Read, Write};

use crate::clients::{Client, ClientSettings, NAME, client};
use lab::certificate::{Authority, KeyKind};
use lab::client_hello::{ClientHello, Unreadable};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;

/// Records what a client writes, and fails its first read.
#[derive(Default)]
struct Recorder(Vec<u8>);

impl Read for Recorder {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::ConnectionReset.into())
    }
}

impl Write for Recorder {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hello_bytes(client: &dyn Client) -> Vec<u8> {
    let mut recorder = Recorder::default();
    client.exchange(&mut recorder).expect_err("reads fail");
    recorder.0
}

/// Clients on both libraries, with the versions each supports.
fn clients(authority: &Authority) -> Vec<(Box<dyn Client>, Vec<Protocol>)> {
    let mut clients = Vec::new();
    for library in Library::ALL {
        for protocols in [&Protocol::ALL[..], &[Protocol::Tls12], &[Protocol::Tls13]] {
            let settings = ClientSettings::new(authority, protocols);
            clients.push((client(library, &settings), protocols.to_vec()));
        }
    }
    clients
}

#[test]
fn first_connections_offer_no_session() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for (client, protocols) in clients(&authority) {
        let hello = ClientHello::parse(&hello_bytes(&*client)).unwrap();
        assert_eq!(hello.server_name.as_deref(), Some(NAME));
        assert_eq!(hello.offered(), None, "{hello:?}");
        assert_eq!(hello.tls13, protocols.contains(&Protocol::Tls13));
        assert!(!hello.early_data);
    }
}

#[test]
fn later_connections_offer_a_session() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings::new(authority.issue(&[NAME]));
    for library in Library::ALL {
        let server = Server::new(library, &settings);
        for (client, protocols) in clients(&authority) {
            client.exchange(&mut InMemory::new(&server)).unwrap();
            let hello = ClientHello::parse(&hello_bytes(&*client)).unwrap();
            let offered = hello.offered().expect("a session");
            if protocols.contains(&Protocol::Tls13) {
                assert_eq!(hello.psk_identities, [offered]);
            } else {
                assert_eq!(hello.session_ticket.as_deref(), Some(offered));
            }
            assert!(offered.len() > 32);
        }
    }
}

#[test]
fn malformed_messages_are_distinguished_from_incomplete_ones() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for (client, _) in clients(&authority) {
        let bytes = hello_bytes(&*client);
        let whole = ClientHello::parse(&bytes).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(
                ClientHello::parse(&bytes[..length]),
                Err(Unreadable::Incomplete)
            );
        }

        // The same message in records of 100 bytes, followed by other bytes.
        let mut records = Vec::new();
        for part in bytes[5..].chunks(100) {
            records.extend_from_slice(&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()]);
            records.extend_from_slice(part);
        }
        records.extend_from_slice(b"more");
        assert_eq!(ClientHello::parse(&records), Ok(whole));

        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = ClientHello::parse(&broken); // must not panic
        }
    }
    assert_eq!(
        ClientHello::parse(b"GET / HTTP/1.1"),
        Err(Unreadable::Malformed)
    );
}
