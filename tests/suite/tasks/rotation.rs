//! Client certificates that rotate while tasks connect.

use std::sync::Arc;

use lab::tcp::TcpServer;
use tls_resume::RotatingCredential;
use tls_resume::tokio::Backend;

use super::clients::{builder, visit};
use crate::blocking::rotation::{assert_seen, credential, demanding, identity};
use crate::servers::LONG;

const ROTATIONS: usize = 5;
const CONNECTIONS: usize = 40;

/// R38.
pub(crate) async fn a_rotated_credential_resumes_no_old_session<B: Backend>() {
    for version in lab::server::Protocol::ALL {
        let server = demanding(lab::server::Library::Rustls, version);
        let server = TcpServer::start(server).expect("a free port");
        let mut identity = identity();
        let source = Arc::new(RotatingCredential::new(credential(&identity)));
        let client = builder::<B>().client_credentials(Arc::clone(&source));
        let client = client.build().expect("valid settings").tokio();
        let mut handshakes = 0;
        for _ in 0..=ROTATIONS {
            for count in 0..CONNECTIONS {
                visit(&client, server.port()).await;
                handshakes += 1;
                let seen = server.wait_for_handshakes(handshakes, LONG);
                assert_seen(seen.last().expect("a handshake"), &identity, count > 0);
            }
            identity = crate::blocking::rotation::identity();
            source.set(credential(&identity));
        }
    }
}
