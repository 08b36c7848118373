//! The store of tls-resume, as an application uses it.

use std::error::Error;

use backend_openssl::{Connector, PeerCertificate, Sessions, negotiated_group};
use lab::server::Group;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnectorBuilder, SslRef};
use store_core::{Limits, SecurityDomain};

use super::{Keeper, NAME, PORT, offer_first};
use crate::harness::number;

/// A context on the store.
pub(super) struct Ours(Connector);

impl Ours {
    pub(super) fn attach(
        builder: SslConnectorBuilder,
        peer_certificate: PeerCertificate,
    ) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(Limits::default())?.with_peer_certificate(peer_certificate);
        Ok(Self(sessions.attach(builder, domain())?))
    }
}

impl Keeper for Ours {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        connection(&self.0)
    }
}

/// The groups of the lab, in the order of OpenSSL's own list.
const GROUPS: [Group; 3] = [Group::X25519MlKem768, Group::X25519, Group::P256];

/// The same, and the group that the server chose last is offered first.
///
/// The crate `openssl` sets groups on contexts only, so there is a context for each.
pub(super) struct Hinted {
    unknown: Connector,
    by_group: Vec<(u16, Connector)>,
}

impl Hinted {
    pub(super) fn attach(
        builder: &dyn Fn() -> Result<SslConnectorBuilder, ErrorStack>,
    ) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(Limits::default())?;
        let by_group = GROUPS.map(|group| -> Result<_, Box<dyn Error>> {
            let mut builder = builder()?;
            offer_first(&mut builder, group, &GROUPS)?;
            // The same domain: all of them take the same groups, in another order.
            Ok((number(group), sessions.attach(builder, domain())?))
        });
        Ok(Self {
            unknown: sessions.attach(builder()?, domain())?,
            by_group: by_group.into_iter().collect::<Result<_, _>>()?,
        })
    }
}

impl Keeper for Hinted {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let key = self.unknown.key(NAME, PORT);
        let hint = self.unknown.sessions().store().hint(&key);
        let known = self.by_group.iter().find(|(group, _)| Some(*group) == hint);
        connection(known.map_or(&self.unknown, |(_, connector)| connector))
    }

    fn settled(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(group) = negotiated_group(ssl) {
            let key = self.unknown.key(NAME, PORT);
            self.unknown.sessions().store().set_hint(&key, group);
        }
        Ok(())
    }
}

fn connection(connector: &Connector) -> Result<Ssl, ErrorStack> {
    connector.ssl(NAME, connector.key(NAME, PORT))
}

fn domain() -> SecurityDomain {
    SecurityDomain::builder("compare harness, openssl").finish()
}
