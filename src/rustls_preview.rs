//! A preview: [`Connector`] over the next rustls, whose sessions can leave their process.
//!
//! This is rustls 0.24.0-dev.1 with aws-lc-rs, both pinned: a release for developers, taken because
//! its sessions can be written down and read again. The one after it took that away, and 0.24 is
//! not out. So this module may change or go in any release of this crate, and its sessions need
//! not outlive one. What will have to be done when 0.24 is out: [`backend_rustls::preview`].
//!
//! Unlike those of rustls 0.23, its sessions show their lifetime and their size, and its security
//! domain is the same in every process and build that has the same configuration.

mod config;
mod facts;
mod failure;
mod tls;

use std::io::{Read, Write};
use std::sync::Arc;

use backend_rustls::preview::{Session, Sessions, provider};
use pki_types::ServerName;
use rustls_next::client::Resumption as RustlsResumption;
use rustls_next::{ClientConfig, ClientConnection};
use store_core::{SecurityDomain, SessionKey, SessionStore};

use self::config::{config, domain_of, speaking};
use self::failure::of_rustls;
use self::tls::Tls;
use crate::backend::sealed;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::{Backend, Error, ErrorKind, early};

/// Makes TLS connections with the next rustls that resume earlier ones.
pub type Connector = crate::connector::Connector<RustlsPreview>;
/// Settings of a [`Connector`] in the making.
pub type ConnectorBuilder = crate::builder::ConnectorBuilder<RustlsPreview>;
/// A TLS connection by the next rustls.
pub type Stream<IO> = crate::stream::Stream<RustlsPreview, IO>;

/// rustls 0.24.0-dev.1 behind a connector.
#[derive(Debug)]
pub struct RustlsPreview {
    config: ClientConfig,
    sessions: Sessions,
    domain: SecurityDomain,
}

impl Backend for RustlsPreview {}

#[cfg(feature = "shared")]
impl crate::Shareable for RustlsPreview {}

impl<IO: Read + Write> Stream<IO> {
    /// The rustls connection, for what only rustls can tell.
    pub fn connection(&self) -> &ClientConnection {
        self.tls().connection()
    }
}

impl sealed::Backend for RustlsPreview {
    /// None: what is written down comes back with the cipher suites of aws-lc-rs, so there is no
    /// choice of a provider.
    type Options = ();
    type Session = Session;
    type Tls<IO: Read + Write> = Tls<IO>;

    #[cfg(feature = "shared")]
    fn open_shared() -> Option<crate::sharing::Open<Session>> {
        Some(crate::sharing::open)
    }

    fn build(
        settings: &Settings,
        (): (),
        store: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        let provider = speaking(&settings.protocols, provider());
        let domain = domain_of(settings, &provider);
        Ok(Self {
            config: config(settings, provider)?,
            sessions: Sessions::over(store, Arc::clone(&settings.clock)),
            domain,
        })
    }

    fn domain(&self) -> &SecurityDomain {
        &self.domain
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &str,
        key: Option<SessionKey>,
        early: &[u8],
        io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let name = ServerName::try_from(host).map_err(|error| {
            Error::new(ErrorKind::Name, format_args!("{host}: {error}")).caused_by(error)
        })?;
        let handle = key.map(|key| self.sessions.connection(key));
        let mut config = self.config.clone();
        config.resumption = match &handle {
            Some(handle) => handle.resumption(),
            None => RustlsResumption::disabled(),
        };
        config.enable_early_data = !early.is_empty();
        let connection = Arc::new(config).connect(name.to_owned()).build();
        let mut connection = connection.map_err(|error| of_rustls(host, error))?;
        let sent = send_early(&mut connection, early);
        let tls = Tls::handshake(host, connection, io, handle)?;
        let is_accepted = tls.connection().is_early_data_accepted();
        Ok((tls, if is_accepted { sent } else { 0 }))
    }
}

/// Has a beginning of `data` follow the first message, if its session allows it; how much.
fn send_early(connection: &mut ClientConnection, data: &[u8]) -> usize {
    let Some(mut early) = connection.early_data() else {
        return 0;
    };
    let data = early::beginning(data, early.bytes_left());
    // It takes less than all if its buffer is full, and fails only after the handshake.
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
    use store_core::{Clock, Entry, KeyRef, Limits, Portable, SystemClock};

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

    /// Connects and talks; whether it resumed, by the server's word.
    fn visit(backend: &RustlsPreview, server: &Server) -> bool {
        let io = Transport::new(InMemory::new(server));
        let (mut tls, _) = backend
            .handshake(HOST, Some(key(backend)), &[], io)
            .expect("a connection");
        tls.write_all(b"hello").expect("a write");
        tls.read_exact(&mut [0; 5]).expect("an echo");
        let facts = tls.io_mut().get_mut().server().facts();
        facts.expect("a handshake").resumed
    }

    /// R1: what one connector wrote down, another one resumes that is configured the same, as if in
    /// another process; and one that is configured otherwise does not find it.
    #[test]
    fn connectors_of_one_configuration_share_what_is_written_down() {
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
            let entry = here.offer(&key(&first), now).expect("a session").entry;
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
