//! R35, R36: what the options of a handle do to the clients with its `client_config`.

use std::io::{Read, Write};
use std::sync::Arc;

use lab::server::{Protocol, Server};
use lab::transport::InMemory;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use tls_resume::ConnectOptions;
use tls_resume::rustls::{Connector, Rustls};

use super::clients::client;
use crate::servers::{HOST, PORT, good_server};

/// Whether a connection with this configuration resumes.
fn resumes(config: &ClientConfig, server: &Server) -> bool {
    let name = HOST.try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config.clone()), name);
    let io = InMemory::new(server);
    let mut stream = StreamOwned::new(connection.expect("valid settings"), io);
    stream.write_all(b"hello").expect("a write");
    stream.read_exact(&mut [0; 5]).expect("an echo");
    stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[test]
fn configurations_have_the_options_of_their_handle() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<Rustls>());
        let with = |options: ConnectOptions| client.with_options(&options).client_config();
        let plain = client.client_config();
        let a = client.partition("a").client_config();
        let endpoint = with(ConnectOptions::new().endpoint("192.0.2.1"));
        let off = with(ConnectOptions::new().resumption(false));
        for (config, expected) in [
            (&plain, false),
            (&a, false),
            (&endpoint, false),
            (&off, false),
            (&off, false),
            (&plain, true),
            (&a, true),
            (&endpoint, true),
        ] {
            assert_eq!(resumes(config, &server), expected, "{version}");
        }
        client.clear_partition("a");
        assert!(!resumes(&a, &server), "{version}");
        assert!(resumes(&plain, &server), "{version}");
        let handle: Connector = client.partition("a");
        handle.clear_server(HOST, PORT);
        assert!(!resumes(&a, &server), "{version}");
    }
}

/// A configuration does not tell the port.
#[test]
fn never_resume_holds_for_configurations() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<Rustls>());
        let config = client.client_config();
        resumes(&config, &server);
        for (list, expected) in [
            (&[][..], true),
            (&["localhost:1"], false),
            (&["other.lab.example"], true),
            (&["LOCALHOST."], false),
            (&[], true),
        ] {
            client.set_never_resume(list).expect("hosts");
            assert_eq!(resumes(&config, &server), expected, "{version} {list:?}");
        }
    }
}
