//! The store of tls-resume, used as by its connector.

use std::error::Error;

use backend_openssl::{Connection, Connector, PeerCertificate, Sessions};
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnectorBuilder, SslRef};
use store_core::{Limits, SecurityDomain};

use super::session_source::SessionSource;
use crate::harness::tls_client::{PORT, SERVER_NAME};

/// A context with the store.
pub(super) struct TlsResume(Connector);

impl TlsResume {
    pub(super) fn new(
        builder: SslConnectorBuilder,
        peer_certificate: PeerCertificate,
    ) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(Limits::default())?.with_peer_certificate(peer_certificate);
        Ok(Self(sessions.attach(builder, domain())?))
    }
}

impl SessionSource for TlsResume {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        self.0
            .driven(SERVER_NAME, self.0.key(SERVER_NAME, PORT), None, true)
    }

    fn connected(&self, ssl: &SslRef) {
        report(ssl, |handle| handle.handshake_succeeded(ssl));
    }

    fn closed(&self, ssl: &SslRef) {
        report(ssl, Connection::closed);
    }
}

fn report(ssl: &SslRef, event: impl FnOnce(&Connection)) {
    if let Some(handle) = backend_openssl::connection(ssl) {
        event(handle);
    }
}

fn domain() -> SecurityDomain {
    SecurityDomain::builder("compare harness, openssl").finish()
}
