//! A `ClientConfig` whose client certificate rotates.

use std::sync::Arc;
use std::time::Duration;

use lab::server::{Handshake, Library, Server};
use lab::transport::InMemory;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tls_resume::rustls::{Connector, Rustls};
use tls_resume::{Clock, ManualClock, RotatingCredential, SystemClock};

use super::clients::{builder, talk};
use super::rotation::{CONNECTIONS, ROTATIONS, assert_seen, credential, demanding, identity};
use crate::servers::{HOST, each};

/// As long as a configuration stores nothing after a rotation.
const UNSETTLED: Duration = Duration::from_secs(30);

type Stream = StreamOwned<ClientConnection, InMemory>;

/// Makes the handshake, and leaves the tickets of TLS 1.3 unread.
fn start(config: &Arc<ClientConfig>, server: &Server) -> Stream {
    let host = HOST.try_into().expect("a name");
    let connection = ClientConnection::new(Arc::clone(config), host).expect("a connection");
    let mut stream = StreamOwned::new(connection, InMemory::new(server));
    while stream.conn.is_handshaking() {
        stream
            .conn
            .complete_io(&mut stream.sock)
            .expect("a handshake");
    }
    stream
}

fn seen(stream: &mut Stream) -> Handshake {
    let facts = stream.sock.server().facts();
    facts.expect("a handshake").clone()
}

fn visit(config: &Arc<ClientConfig>, server: &Server) -> Handshake {
    let mut stream = start(config, server);
    talk(&mut stream);
    seen(&mut stream)
}

/// R38.
#[test]
fn a_configuration_resumes_no_session_of_the_old_certificate() {
    each(|library, version| {
        let server = demanding(library, version);
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let mut identity = identity();
        let source = Arc::new(RotatingCredential::new(credential(&identity)));
        let connector: Connector = builder::<Rustls>()
            .client_credentials(Arc::clone(&source))
            .clock(Arc::<ManualClock>::clone(&clock))
            .build()
            .expect("valid settings");
        let config = Arc::new(connector.client_config());
        drop(connector);
        for _ in 0..=ROTATIONS {
            for count in 0..CONNECTIONS {
                assert_seen(&visit(&config, &server), &identity, count > 0);
            }
            let mut late = start(&config, &server);
            let old = std::mem::replace(&mut identity, super::rotation::identity());
            source.set(credential(&identity));
            // The first to notice the rotation: its tickets are of the old certificate.
            talk(&mut late);
            assert_seen(&seen(&mut late), &old, true);
            for _ in 0..2 {
                assert_seen(&visit(&config, &server), &identity, false);
            }
            clock.advance(UNSETTLED);
        }
    });
}

/// R38: nothing is missed while the certificate stays.
#[test]
fn configurations_of_one_connector_share_sessions() {
    let server = demanding(Library::Rustls, lab::server::Protocol::Tls13);
    let identity = identity();
    let source = RotatingCredential::new(credential(&identity));
    let connector = builder::<Rustls>().client_credentials(source).build();
    let connector = connector.expect("valid settings");
    let configs = [(), ()].map(|()| Arc::new(connector.client_config()));
    assert_seen(&visit(&configs[0], &server), &identity, false);
    assert_seen(&visit(&configs[1], &server), &identity, true);
    connector.clear_server(HOST, 443);
    assert_seen(&visit(&configs[0], &server), &identity, false);
}
