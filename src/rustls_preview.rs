//! A preview: [`Connector`] over the next rustls, whose sessions can leave their process.
//!
//! It uses rustls 0.24.0-dev.1 with aws-lc-rs, both pinned: a development release whose sessions
//! can be encoded and decoded. The development release after it cannot decode them, and 0.24 is not
//! released. So this module may change or disappear in any release of this crate, and sessions in a
//! tier may be lost in an update. [`backend_rustls::preview`] says what to change when 0.24 is
//! released.
//!
//! Unlike those of rustls 0.23, these sessions show their lifetime and size, and every process and
//! build with the same configuration has the same security domain.

mod config;
mod details;
mod failure;
mod tls;
#[cfg(feature = "tokio")]
mod tokio;

use std::io::{Read, Write};
use std::sync::Arc;

use backend_rustls::earliest_not_after;
use backend_rustls::preview::{Session, Sessions, provider};
use rustls_next::client::Resumption as RustlsResumption;
use rustls_next::{ClientConfig, ClientConnection};
use store_core::{ReuseTickets, SecurityDomain, SessionStore, Timestamp};

use self::config::{config, domain_of, with_groups, with_protocols};
use self::failure::rustls_error;
use self::tls::Tls;
use crate::backend::sealed::{self, Attempt};
use crate::connection_info::Details as _;
use crate::error::TlsEvidence;
use crate::host::Host;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::{Backend, Error, early};

/// Makes TLS connections with the next rustls that resume earlier sessions.
pub type Connector = crate::connector::Connector<RustlsPreview>;
/// Builder of a [`Connector`].
pub type ConnectorBuilder = crate::builder::ConnectorBuilder<RustlsPreview>;
/// A TLS connection of the next rustls.
pub type Stream<IO> = crate::stream::Stream<RustlsPreview, IO>;

/// The rustls 0.24.0-dev.1 backend of a connector.
#[derive(Debug)]
pub struct RustlsPreview {
    config: ClientConfig,
    sessions: Sessions,
    domain: SecurityDomain,
    /// When the client certificate expires, if there is one.
    client_expires: Timestamp,
}

impl Backend for RustlsPreview {}

#[cfg(feature = "shared")]
impl crate::Shareable for RustlsPreview {}

impl<IO: Read + Write> Stream<IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &ClientConnection {
        self.tls.connection()
    }
}

impl sealed::Backend for RustlsPreview {
    const NAME: &'static str = "rustls-preview";

    /// No options: decoded sessions refer to the cipher suites of aws-lc-rs, so the provider is
    /// fixed.
    type Options = ();
    type Session = Session;
    type Tls<IO: Read + Write> = Tls<IO>;

    #[cfg(feature = "shared")]
    fn open_shared() -> Option<crate::store::Open<Session>> {
        Some(crate::store::at_url)
    }

    fn build(
        settings: &Settings,
        (): (),
        store: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        let provider = with_groups(settings, provider())?;
        let provider = with_protocols(&settings.protocols, provider);
        let domain = domain_of(settings, &provider);
        let client = settings.client.as_ref();
        let client_chain = client.map_or(&[][..], |client| client.chain());
        Ok(Self {
            client_expires: earliest_not_after(client_chain, settings.clock.now()),
            config: config(settings, provider)?,
            sessions: Sessions::over(store, Arc::clone(&settings.clock))
                .with_reuse_tickets(settings.reuse_tickets),
            domain,
        })
    }

    fn over(&self, store: Arc<SessionStore<Session>>) -> Self {
        let clock = Arc::clone(self.sessions.clock());
        Self {
            config: self.config.clone(),
            sessions: Sessions::over(store, clock).with_reuse_tickets(ReuseTickets::UntilRenewed),
            domain: self.domain,
            client_expires: self.client_expires,
        }
    }

    fn domain(&self) -> &SecurityDomain {
        &self.domain
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let (mut tls, sent) = self.begin(host, attempt, io)?;
        let completed = tls.complete();
        completed.map_err(|error| tls.failed(host.as_str(), error))?;
        let accepted = self.settle(&tls, sent);
        Ok((tls, accepted))
    }
}

impl RustlsPreview {
    /// A connection whose handshake is to be made, and how many bytes of early data it sends.
    fn begin<IO>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let Attempt {
            key,
            address,
            offers,
            early,
        } = attempt;
        let handle = key.map(|key| self.sessions.connection(key));
        if let (Some(handle), Some(address)) = (&handle, address) {
            handle.connects_to(address);
        }
        if let (Some(handle), false) = (&handle, offers) {
            handle.offer_nothing();
        }
        let mut config = self.config.clone();
        config.resumption = match &handle {
            Some(handle) => handle.resumption(),
            None => RustlsResumption::disabled(),
        };
        config.enable_early_data = !early.is_empty();
        let name = host.server_name().clone();
        let connection = Arc::new(config).connect(name).build();
        let mut connection =
            connection.map_err(|error| rustls_error(host.as_str(), TlsEvidence::None, error))?;
        let sent = send_early(&mut connection, early);
        Ok((Tls::new(connection, io, handle), sent))
    }

    /// Ends a handshake that succeeded, and that `sent` so much early data. Returns how much of it the
    /// server accepted.
    fn settle<IO>(&self, tls: &Tls<IO>, sent: usize) -> usize {
        self.settle_handle(tls);
        let is_accepted = tls.connection().is_early_data_accepted();
        if is_accepted { sent } else { 0 }
    }

    /// Settles the handle. Sessions of a full handshake expire with its certificates.
    fn settle_handle<IO>(&self, tls: &Tls<IO>) {
        let details = tls.details();
        let (Some(handle), Some(kind)) = (details.handle, details.connection.handshake_kind())
        else {
            return;
        };
        if !details.resumed() {
            let now = self.sessions.clock().now();
            let server = earliest_not_after(&details.peer_certificates(), now);
            handle.certificates_expire(server.min(self.client_expires));
        }
        handle.settle(kind);
    }
}

/// Sends a prefix of `data` after the `ClientHello`, if the session allows it; returns its length.
fn send_early(connection: &mut ClientConnection, data: &[u8]) -> usize {
    let Some(mut early) = connection.early_data() else {
        return 0;
    };
    let data = early::sendable(data, early.bytes_left());
    // Writes less if its buffer is full, and fails only after the handshake.
    early.write(data).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;
    use crate::backend::sealed::{Backend as _, Tls as _};
    use lab::certificate::{Authority, KeyKind};
    use lab::server::{Server, ServerSettings};
    use lab::transport::InMemory;
    use store_core::{Clock, Entry, KeyRef, Limits, Portable, SessionKey, SystemClock, Want};

    const HOST: &str = "server.lab.example";

    fn store() -> Arc<SessionStore<Session>> {
        Arc::new(SessionStore::new(Limits::default()).expect("valid limits"))
    }

    fn settings(authority: &Authority, version: Protocol) -> Settings {
        let mut settings = Settings::default();
        settings.roots = vec![authority.root_der()];
        settings.protocols = vec![version];
        settings
    }

    fn key(backend: &RustlsPreview) -> SessionKey {
        KeyRef::new(backend.domain(), HOST).with_port(443).to_key()
    }

    /// Connects and exchanges data. Returns whether the server resumed.
    fn visit(backend: &RustlsPreview, server: &Server) -> bool {
        let io = Transport::new(InMemory::new(server));
        let host = Host::parse(HOST).expect("a host");
        let attempt = Attempt::new(Some(key(backend)), None, &[]);
        let (mut tls, _) = backend.handshake(&host, attempt, io).expect("a connection");
        tls.write_all(b"hello").expect("a write");
        tls.read_exact(&mut [0; 5]).expect("an echo");
        let facts = tls.io_mut().get_mut().server().facts();
        facts.expect("a handshake").resumed
    }

    /// R1: as if they were in different processes.
    #[test]
    fn only_connectors_with_the_same_settings_share_encoded_sessions() {
        let authority = Authority::new(KeyKind::EcdsaP256);
        for version in Protocol::ALL {
            let server = Server::new(
                lab::server::Library::OpenSsl,
                &ServerSettings::new(authority.issue(&[HOST])),
            );
            let settings = || settings(&authority, version);
            let build = |settings: Settings, store: &Arc<SessionStore<Session>>| {
                RustlsPreview::build(&settings, (), Arc::clone(store)).expect("valid settings")
            };
            let (here, there) = (store(), store());
            let first = build(settings(), &here);
            assert!(!visit(&first, &server));

            let now = SystemClock.now();
            let entry = here
                .offer(&key(&first), Want::Any, now, |_| true)
                .expect("a session")
                .entry;
            let encoded = entry.session.encode().expect("bytes");
            let (session, weight) = Session::decode(&encoded, entry.usage).expect("a session");
            let second = build(settings(), &there);
            let entry = Entry::new(session, entry.usage, None, weight, now);
            there
                .put(&key(&second), entry, there.generation(), now)
                .expect("room");
            assert_eq!(first.domain(), second.domain());

            let mut others = settings();
            others.domain = "other".into();
            assert!(!visit(&build(others, &there), &server), "{version}");
            assert!(visit(&second, &server), "{version}");
        }
    }
}
