//! Many connections in one process, for valgrind:
//! `valgrind --leak-check=full target/debug/deps/suite-... soak --ignored --test-threads=1`.

use lab::server::{Library, Protocol};

use crate::client::{Client, HOST, PORT, Silent, server};

/// R20: no leak and no use after free, with connections that are closed, dropped, failed, or never
/// started.
#[test]
#[ignore = "slow; run it under valgrind"]
fn many_connections_leak_nothing() {
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
            drop(client.connector.connect(HOST, PORT, Silent { ended: true }));
            client.visit(&server);
        }
        assert!(client.stats().resumed > 25);
    }
}
