//! The store for OpenSSL clients, and a context that uses it.

use std::fmt;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ConnectConfiguration, HandshakeError, Ssl, SslConnector, SslConnectorBuilder, SslRef,
    SslSessionCacheMode, SslStream,
};
use store_core::{
    Clock, KeyRef, Limits, LimitsError, SecurityDomain, SessionKey, SessionStore, SystemClock,
};
use thiserror::Error;

use crate::connection::{self, Connection, Connections};
use crate::ffi;
use crate::origin::PeerCertificate;
use crate::session::Session;
use crate::verification::Address;

/// The store for OpenSSL clients. Cheap to clone; all clones are the same store, which any number
/// of contexts can share.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Arc<SessionStore<Session>>,
    clock: Arc<dyn Clock>,
    peer_certificate: PeerCertificate,
}

impl Sessions {
    /// An empty store that takes the time from the system's clock.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Self::with_clock(limits, Arc::new(SystemClock))
    }

    /// An empty store that takes the time from `clock`.
    pub fn with_clock(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, LimitsError> {
        Ok(Self::over(Arc::new(SessionStore::new(limits)?), clock))
    }

    /// Over a store that others see, too, such as one with a place behind it, whose time is that
    /// of `clock`.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            peer_certificate: PeerCertificate::default(),
        }
    }

    /// The same store, whose connections from now on leave their peer's certificate in sessions or
    /// not. Sessions that are there already are used as they are.
    #[must_use]
    pub fn with_peer_certificate(self, peer_certificate: PeerCertificate) -> Self {
        Self {
            peer_certificate,
            ..self
        }
    }

    /// Whether sessions keep their peer's certificate.
    pub fn peer_certificate(&self) -> PeerCertificate {
        self.peer_certificate
    }

    /// The store itself.
    pub fn store(&self) -> &SessionStore<Session> {
        &self.store
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Finishes a context whose connections keep their sessions in this store.
    ///
    /// It sets the session cache mode, the `new_session` callback and the info callback, so it
    /// takes the builder at its end and gives back what was built; the builder must have neither
    /// callback yet.
    ///
    /// `domain` must cover everything in the builder that decides over trust or over what is
    /// offered: roots, verify mode and callbacks, client certificate, protocol versions, cipher
    /// suites, groups, ALPN. OpenSSL checks none of it on resumption. Contexts that share a domain
    /// use each other's sessions.
    pub fn attach(
        &self,
        mut builder: SslConnectorBuilder,
        domain: SecurityDomain,
    ) -> Result<Connector, AttachError> {
        if ffi::has_new_session_callback(&builder) {
            return Err(AttachError::CallbackTaken("new_session"));
        }
        if ffi::has_info_callback(&builder) {
            return Err(AttachError::CallbackTaken("info"));
        }
        builder.set_session_cache_mode(
            SslSessionCacheMode::CLIENT
                | SslSessionCacheMode::NO_INTERNAL
                | SslSessionCacheMode::NO_AUTO_CLEAR,
        );
        builder.set_new_session_callback(|ssl, session| {
            // A panic must not reach C: what it would have stored is lost, which is a miss.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                if let Some(connection) = connection::connection(ssl) {
                    connection.received(ssl, &session);
                }
            }));
        });
        ffi::observe_handshakes::<Connections>(&mut builder);
        Ok(Connector {
            demands_address: ffi::demands_address(&builder),
            inner: builder.build(),
            sessions: self.clone(),
            domain,
        })
    }
}

/// A context cannot be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The builder has a callback of its own that the store needs.
    #[error(
        "the builder already has a {0} callback, which the session store needs: leave it unset"
    )]
    CallbackTaken(&'static str),
}

/// An [`SslConnector`] whose connections keep their sessions in a store.
#[derive(Clone)]
pub struct Connector {
    inner: SslConnector,
    sessions: Sessions,
    domain: SecurityDomain,
    // Whether every connection of the context demands an IP address.
    demands_address: bool,
}

impl Connector {
    /// Connects over `io`: the handshake with `host`, by name or address, resumed if possible.
    ///
    /// `host` is sent in SNI and verified; with `port` it is the key of the sessions.
    pub fn connect<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<SslStream<IO>, HandshakeError<IO>> {
        self.ssl(host, self.key(host, port))?.connect(io)
    }

    /// An `Ssl` for a handshake with `host`, by name or address, which is sent in SNI and verified.
    /// It is [prepared](Self::prepare) with `key`, which is quicker here, where it is known what
    /// the `Ssl` demands.
    pub fn ssl(&self, host: &str, key: SessionKey) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.configure()?.into_ssl(host)?;
        let address = if self.demands_address || host.parse::<IpAddr>().is_ok() {
            Address::Ask
        } else {
            Address::None
        };
        Connection::begin(self.sessions.clone(), key, &mut ssl, address);
        Ok(ssl)
    }

    /// The settings of one connection, for callers that make their own `Ssl`.
    pub fn configure(&self) -> Result<ConnectConfiguration, ErrorStack> {
        self.inner.configure()
    }

    /// The key of a server in this connector's domain. For an `Ssl` with settings of its own, make
    /// a key of a domain that covers them.
    pub fn key(&self, host: &str, port: u16) -> SessionKey {
        KeyRef::new(&self.domain, host).with_port(port).to_key()
    }

    /// Readies an `Ssl` of this connector for its handshake, as the last step before it: offers a
    /// session of `key` if there is one, and nothing else, and has what the server gives stored
    /// under `key`.
    ///
    /// How the peer must be verified (mode, names) and a client certificate of its own are read
    /// from `ssl` now: a session whose own verification was less strict, or that another
    /// certificate made, is not offered. Change nothing of it afterwards. What else was set on
    /// this `Ssl` alone (a certificate store, a verify callback, verification flags, ALPN) is not
    /// looked at: then use a key of another domain.
    ///
    /// Once the handshake is under way, [`connection()`](crate::connection()) tells what became of
    /// it.
    pub fn prepare(&self, ssl: &mut SslRef, key: SessionKey) {
        Connection::begin(self.sessions.clone(), key, ssl, Address::Ask);
    }

    /// The store that this connector uses.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The domain of its sessions.
    pub fn domain(&self) -> &SecurityDomain {
        &self.domain
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}
