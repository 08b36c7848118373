//! Many connections in one process, for valgrind:
//! `valgrind --leak-check=full target/debug/deps/soak-... --ignored --test-threads=1`.

mod common;

use common::{Client, HOST, Mute, PORT, server};
use lab::server::{Library, Protocol};

/// R20: nothing leaks and nothing is read after it was freed: good ends, bad ends, failures, and
/// connections that never began.
#[test]
#[ignore = "slow; run it under valgrind"]
fn many_connections() {
    for protocol in Protocol::ALL {
        let server = server(Library::OpenSsl, protocol);
        let client = Client::new(protocol);
        for round in 0..25 {
            client.visit(&server);
            drop(client.start(&server));
            client
                .connector
                .prepare(&mut client.ssl(round % 2 == 0), client.key());
            let mut twice = client.ssl(true);
            client.connector.prepare(&mut twice, client.key());
            client.connector.prepare(&mut twice, client.key());
            drop(client.connector.connect(HOST, PORT, Mute { ended: true }));
            client.visit(&server);
        }
        assert!(client.stats().resumed > 25);
    }
}
