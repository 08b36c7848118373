//! The store of tls-resume, used as by its connector.

use std::error::Error;

use backend_openssl::{Connection, Connector, PeerCertificate, Sessions, negotiated_group};
use lab::server::Group;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnectorBuilder, SslRef};
use store_core::{Limits, SecurityDomain};

use super::context::offer_first;
use super::session_source::SessionSource;
use crate::harness::tls_client::{PORT, SERVER_NAME, group_id};

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
        let ssl = self.0.driven(SERVER_NAME, self.0.key(SERVER_NAME, PORT))?;
        report(&ssl, Connection::handshake_started);
        Ok(ssl)
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

/// The groups of the lab, in the order of OpenSSL's default list.
const GROUPS: [Group; 3] = [Group::X25519MlKem768, Group::X25519, Group::P256];

/// Contexts that share the store and offer the group first that the server chose last.
///
/// The crate `openssl` sets groups on contexts only, so each group has a context.
pub(super) struct TlsResumeHint {
    default: Connector,
    by_group: Vec<(u16, Connector)>,
}

impl TlsResumeHint {
    pub(super) fn new(
        builder: &dyn Fn() -> Result<SslConnectorBuilder, ErrorStack>,
    ) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(Limits::default())?;
        let by_group = GROUPS.map(|group| -> Result<_, Box<dyn Error>> {
            let mut builder = builder()?;
            offer_first(&mut builder, group, &GROUPS)?;
            // One domain: all contexts accept the same groups, in another order.
            Ok((group_id(group), sessions.attach(builder, domain())?))
        });
        Ok(Self {
            default: sessions.attach(builder()?, domain())?,
            by_group: by_group.into_iter().collect::<Result<_, _>>()?,
        })
    }
}

impl SessionSource for TlsResumeHint {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let key = self.default.key(SERVER_NAME, PORT);
        let hint = self.default.sessions().store().hint(&key);
        let hinted = self.by_group.iter().find(|(group, _)| Some(*group) == hint);
        connection(hinted.map_or(&self.default, |(_, connector)| connector))
    }

    fn handshake_done(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(group) = negotiated_group(ssl) {
            let key = self.default.key(SERVER_NAME, PORT);
            self.default.sessions().store().set_hint(&key, group);
        }
        Ok(())
    }
}

fn connection(connector: &Connector) -> Result<Ssl, ErrorStack> {
    connector.ssl(SERVER_NAME, connector.key(SERVER_NAME, PORT))
}

fn domain() -> SecurityDomain {
    SecurityDomain::builder("compare harness, openssl").finish()
}
