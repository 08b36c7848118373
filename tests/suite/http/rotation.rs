//! Client certificates that rotate under hyper's client.

use std::sync::Arc;

use lab::server::{Library, Protocol};
use lab::tcp::TcpServer;
use tls_resume::RotatingCredential;
use tls_resume::generic::Connector;
use tls_resume::hyper::HttpsConnector;
use tls_resume::tokio::Backend;

use super::clients::{uri, visit};
use crate::blocking::rotation::{assert_seen, credential, demanding, identity};
use crate::servers::{HOST, LONG, authority};

/// R38.
pub(crate) async fn a_rotated_credential_resumes_no_old_session<B: Backend>() {
    let server = demanding(Library::Rustls, Protocol::Tls13);
    let server = TcpServer::start(server).expect("a free port");
    let mut identity = identity();
    let source = Arc::new(RotatingCredential::new(credential(&identity)));
    let connector = Connector::<B>::builder().roots([authority().root_der()]);
    let connector = connector.client_credentials(Arc::clone(&source)).build();
    let https = HttpsConnector::new(&connector.expect("valid settings"));
    for handshake in 0..200 {
        if handshake > 0 && handshake % 40 == 0 {
            identity = crate::blocking::rotation::identity();
            source.set(credential(&identity));
        }
        visit(&https, uri(HOST, server.port())).await;
        let seen = server.wait_for_handshakes(handshake + 1, LONG);
        assert_seen(
            seen.last().expect("a handshake"),
            &identity,
            handshake % 40 > 0,
        );
    }
}
