//! R15: what a connection does to its session reaches no other, and a resumed handshake copies no
//! session that it can have to itself.

use foreign_types::ForeignTypeRef;
use lab::server::Protocol;
use lab::transport::InMemory;
use openssl::ssl::SslStream;

use crate::client::{Client, HOST, Silent, close, connection_of, echo, for_each_server, server};

/// From this version on OpenSSL lets go of a session before the connection's handle is freed.
fn frees_session_first() -> bool {
    openssl::version::number() >= 0x3060_0000
}

/// The address of a connection's session.
fn object(stream: &SslStream<InMemory>) -> usize {
    stream.ssl().session().expect("a session").as_ptr() as usize
}

/// The address of the session that the next connection offers. The connection is not made.
fn next_offer(client: &Client) -> usize {
    let ssl = client.connector.ssl(HOST, client.key());
    let ssl = ssl.expect("a connection");
    ssl.session().expect("a session is offered").as_ptr() as usize
}

#[test]
fn a_connection_that_closed_leaves_its_object_to_the_next() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        for round in 0..3 {
            let mut stream = client.start(&server);
            echo(&mut stream);
            assert_eq!(stream.ssl().session_reused(), round > 0);
            let own = object(&stream);
            close(&mut stream);
            drop(stream);
            if round == 2 {
                assert_eq!(next_offer(&client), own, "{library} {protocol}");
            }
        }
    });
}

#[test]
fn an_open_connection_keeps_its_object() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut open = client.start(&server);
        echo(&mut open);
        let mut other = client.start(&server);
        assert_ne!(object(&other), object(&open), "{library} {protocol}");
        echo(&mut other);
        assert!(other.ssl().session_reused());
        drop(other); // without close_notify
        echo(&mut open);
        close(&mut open);
        assert!(client.visit(&server), "{library} {protocol}");
    });
}

/// R14: OpenSSL marks only the object of the connection that ends.
#[test]
fn twenty_connections_without_close_notify_are_resumed() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        echo(&mut client.start(&server));
        for round in 0..20 {
            let mut stream = client.start(&server);
            echo(&mut stream);
            assert!(
                stream.ssl().session_reused(),
                "{library} {protocol} {round}"
            );
        }
    });
}

#[test]
fn an_unclean_end_costs_a_copy_only_where_openssl_marks_the_object() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        let mut stream = client.start(&server);
        echo(&mut stream);
        let held = stream.ssl().session().expect("a session").to_owned(); // so that no address is reused
        let own = object(&stream);
        drop(stream);
        let kept = protocol == Protocol::Tls13 && frees_session_first();
        assert_eq!(next_offer(&client) == own, kept, "{library} {protocol}");
        drop(held);
    });
}

/// A declined session's object is replaced by OpenSSL, which it does only if it has an id.
#[test]
fn a_declined_ticket_does_not_fail_the_handshake() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        client.visit(&server);
        for _ in 0..3 {
            server.rotate_keys();
            let mut declined = client.start(&server);
            echo(&mut declined);
            assert!(connection_of(&declined).offered());
            assert!(!declined.ssl().session_reused());
            close(&mut declined);
            drop(declined);
            assert!(client.visit(&server), "{library} {protocol}");
        }
        assert_eq!(client.stats().failed, 0);
    });
}

/// A driver that reports by itself needs no info callback.
#[test]
fn a_driver_reports_its_connections_by_itself() {
    for_each_server(|library, protocol| {
        let server = server(library, protocol);
        let client = Client::new(protocol);
        for round in 0..4_u64 {
            let ssl = client.connector.driven(HOST, client.key(), None, true);
            let mut stream =
                SslStream::new(ssl.expect("a connection"), InMemory::new(&server)).unwrap();
            stream.connect().unwrap();
            connection_of(&stream).handshake_succeeded(stream.ssl());
            assert_eq!(client.stats().resumed, round, "{library} {protocol}");
            echo(&mut stream);
            assert_eq!(connection_of(&stream).offered(), round > 0);
            close(&mut stream);
            connection_of(&stream).closed();
        }
        let ssl = client.connector.driven(HOST, client.key(), None, true);
        let silent = Silent { ended: true };
        let mut stream = SslStream::new(ssl.expect("a connection"), silent).unwrap();
        drop(stream.connect());
        connection_of(&stream).handshake_failed();
        assert_eq!(client.stats().failed, 1, "{library} {protocol}");
    });
}
