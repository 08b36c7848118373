//! R39: the group that the server chose last is offered first, and alone has a key share.

use std::io::{self, Read, Write};

use backend_openssl::negotiated_group;
use lab::client_hello::ClientHello;
use lab::server::{Group, Library, Protocol, Server, ServerSettings};
use openssl::ssl::{Ssl, SslStream};
use store_core::Limits;

use crate::client::{Client, HOST, builder, close, echo, settings};

const HYBRID: u16 = 0x11ec;
const X25519: u16 = 29;
const P256: u16 = 23;

fn server(group: Group) -> Server {
    let settings = ServerSettings {
        groups: vec![group],
        ..settings(Protocol::Tls13)
    };
    Server::new(Library::OpenSsl, &settings)
}

/// OpenSSL 3.5 sends several key shares, one of them for a hybrid group.
fn has_hybrid() -> bool {
    openssl::version::number() >= 0x3050_0000
}

/// Keeps the first message.
#[derive(Debug)]
struct FirstFlight(Vec<u8>);

impl Read for FirstFlight {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for FirstFlight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The groups of the first message of a connection, and those with a key share. It is cancelled.
fn flight(ssl: Ssl) -> (Vec<u16>, Vec<u16>) {
    let mut stream = SslStream::new(ssl, FirstFlight(Vec::new())).expect("a stream");
    assert!(stream.connect().is_err());
    if let Some(connection) = backend_openssl::connection(stream.ssl()) {
        connection.cancel();
    }
    let hello = ClientHello::parse(&stream.get_ref().0).expect("a ClientHello");
    (hello.groups, hello.key_shares)
}

fn next_flight(client: &Client) -> (Vec<u16>, Vec<u16>) {
    flight(client.connector.ssl(HOST, client.key()).expect("an Ssl"))
}

fn sorted(mut groups: Vec<u16>) -> Vec<u16> {
    groups.sort_unstable();
    groups
}

/// Connects; returns the group.
fn visit(client: &Client, server: &Server) -> Option<u16> {
    let mut stream = client.start(server);
    echo(&mut stream);
    let group = negotiated_group(stream.ssl());
    close(&mut stream);
    group
}

#[test]
fn the_servers_last_group_is_first_and_no_group_is_missing() {
    let client = Client::new(Protocol::Tls13);
    let (all, shares) = next_flight(&client);
    for (group, number) in [(Group::P256, P256), (Group::X25519, X25519)] {
        let server = server(group);
        assert_eq!(visit(&client, &server), Some(number));
        let (groups, shares) = next_flight(&client);
        assert_eq!((groups[0], shares), (number, vec![number]));
        assert_eq!(sorted(groups), sorted(all.clone()));
        // `prepare` does the same.
        let mut own = client.ssl(true);
        client.connector.prepare(&mut own, client.key());
        assert_eq!(flight(own).1, [number]);
        assert_eq!(visit(&client, &server), Some(number));
    }
    let stranger = client.connector.ssl(
        "other.lab.example",
        client.connector.key("other.lab.example", 1),
    );
    assert_eq!(flight(stranger.expect("an Ssl")), (all, shares));
    assert_eq!(client.stats().failed, 0);
}

/// A server that changes its groups costs one `HelloRetryRequest`.
#[test]
fn a_wrong_hint_is_replaced() {
    let client = Client::new(Protocol::Tls13);
    for (group, number) in [
        (Group::X25519, X25519),
        (Group::P256, P256),
        (Group::X25519, X25519),
    ] {
        let server = server(group);
        for _ in 0..2 {
            assert_eq!(visit(&client, &server), Some(number));
            assert_eq!(client.sessions.store().hint(&client.key()), Some(number));
        }
    }
}

#[test]
fn a_failed_handshake_forgets_the_hint() {
    let client = Client::new(Protocol::Tls13);
    let first = next_flight(&client);
    visit(&client, &server(Group::P256));
    assert_eq!(next_flight(&client).1, [P256]);
    let silent = crate::client::Silent { ended: true };
    drop(
        client
            .connector
            .connect(HOST, crate::client::PORT, silent)
            .unwrap_err(),
    );
    assert_eq!(next_flight(&client), first);
}

#[test]
fn groups_of_the_context_are_respected() {
    let mut own = builder(Protocol::Tls13);
    own.set_groups_list("P-384:X25519:P-256").expect("groups");
    let client = Client::with(own, Limits::default());
    assert_eq!(next_flight(&client), (vec![24, X25519, P256], vec![24]));
    visit(&client, &server(Group::P256));
    assert_eq!(next_flight(&client), (vec![P256, 24, X25519], vec![P256]));
    // A group that the context does not offer, as in a store that contexts share.
    client.sessions.store().set_hint(&client.key(), HYBRID);
    assert_eq!(next_flight(&client), (vec![24, X25519, P256], vec![24]));
}

#[test]
fn a_post_quantum_key_share_is_kept_on_request() {
    let mut client = Client::new(Protocol::Tls13);
    client.connector = client.connector.clone().keep_post_quantum(true);
    visit(&client, &server(Group::P256));
    let (groups, shares) = next_flight(&client);
    if has_hybrid() {
        assert_eq!(
            (&groups[..2], &shares[..]),
            (&[HYBRID, P256][..], &[HYBRID, P256][..])
        );
        // The server learns the hybrid group.
        assert_eq!(visit(&client, &server(Group::X25519MlKem768)), Some(HYBRID));
        assert_eq!(next_flight(&client).1, [HYBRID]);
    } else {
        assert_eq!(shares, [P256]);
    }
}

#[test]
fn tls12_needs_no_hint() {
    let client = Client::new(Protocol::Tls12);
    let before = next_flight(&client);
    let server = Server::new(Library::OpenSsl, &settings(Protocol::Tls12));
    assert!(!client.visit(&server) && client.visit(&server));
    assert_eq!(client.sessions.store().hint(&client.key()), None);
    assert_eq!(next_flight(&client), before);
}
