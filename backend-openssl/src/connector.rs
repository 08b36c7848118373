//! An OpenSSL context whose connections use the store.

use std::fmt;
use std::io::{Read, Write};

use openssl::error::ErrorStack;
use openssl::ssl::{
    ConnectConfiguration, HandshakeError, Ssl, SslConnector, SslConnectorBuilder, SslRef,
    SslSessionCacheMode, SslStream,
};
use store_core::{HostRef, KeyRef, SecurityDomain, SessionKey};
use thiserror::Error;

use crate::connection::Connection;
use crate::sessions::Sessions;
use crate::verification::RequiredAddress;
use crate::{callbacks, ex_data, ffi};

impl Sessions {
    /// Builds a context whose connections keep their sessions in this store. An error if the
    /// builder already has a `new_session` or info callback.
    ///
    /// Sets the session cache mode, the `new_session` callback and the info callback. Callbacks can
    /// be set on a builder only, so this takes the finished builder and returns the connector.
    ///
    /// `domain` must cover every setting of the builder that decides over trust or over what is
    /// offered: roots, verify mode and callbacks, client certificate, protocol versions, cipher
    /// suites, groups, ALPN. OpenSSL checks none of it on resumption. Contexts of the same domain
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
        callbacks::install(&mut builder);
        Ok(Connector {
            requires_address: ffi::context_requires_address(&builder),
            inner: builder.build(),
            sessions: self.clone(),
            domain,
        })
    }
}

/// Why a builder cannot be attached to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The builder already has a callback that the store needs.
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
    /// Whether the context itself requires an IP address of every peer.
    requires_address: bool,
}

impl Connector {
    /// Makes a TLS handshake with `host`, a name or an IP address, over `io`, resumed if possible.
    ///
    /// `host` is sent as SNI and verified; with `port` it is the key of the sessions.
    pub fn connect<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<SslStream<IO>, HandshakeError<IO>> {
        self.ssl(host, self.key(host, port))?.connect(io)
    }

    /// An `Ssl` for a handshake with `host`, a name or an IP address, which is sent as SNI and
    /// verified, [prepared](Self::prepare) with `key`.
    ///
    /// Faster than `prepare`, which has to query OpenSSL for an IP address that the `Ssl` requires.
    pub fn ssl(&self, host: &str, key: SessionKey) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.configure()?.into_ssl(host)?;
        // `into_ssl` requires an address if `host` parses as one; `HostRef` knows at least those.
        let address = match HostRef::parse(host) {
            HostRef::Name(_) if !self.requires_address => RequiredAddress::None,
            _ => RequiredAddress::Query,
        };
        self.attach_connection(&mut ssl, key, address);
        Ok(ssl)
    }

    /// The settings of one connection, for callers that make their own `Ssl` and
    /// [prepare](Self::prepare) it. Corresponds to `SslConnector::configure`.
    pub fn configure(&self) -> Result<ConnectConfiguration, ErrorStack> {
        self.inner.configure()
    }

    /// The key of a server in this connector's domain. An `Ssl` with settings of its own needs a key
    /// of a domain that covers them.
    pub fn key(&self, host: &str, port: u16) -> SessionKey {
        KeyRef::new(&self.domain, host).with_port(port).to_key()
    }

    /// Prepares an `Ssl` of this connector for its handshake: offers a session of `key` if there is
    /// one, instead of any session set before, and stores received sessions under `key`.
    ///
    /// Call it last, and change nothing on `ssl` afterwards: it reads the verify mode, the required
    /// names and the client certificate of the `Ssl`. A session whose own verification was less
    /// strict, or that was made with another client certificate, is not offered. Other settings
    /// made on this `Ssl` alone (certificate store, verify callback, verification flags, ALPN) are
    /// not read: if there are any, use a key of another domain.
    ///
    /// [`connection()`](crate::connection()) returns the [`Connection`](crate::Connection) attached
    /// here. If OpenSSL has no `ex_data` slot left, nothing is attached, offered or stored.
    pub fn prepare(&self, ssl: &mut SslRef, key: SessionKey) {
        self.attach_connection(ssl, key, RequiredAddress::Query);
    }

    fn attach_connection(&self, ssl: &mut SslRef, key: SessionKey, address: RequiredAddress) {
        let Some(index) = ex_data::index() else {
            return;
        };
        let connection = Connection::prepare(self.sessions.clone(), key, ssl, address);
        ssl.set_ex_data(index, connection);
    }

    /// The store.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The security domain of the connector's sessions.
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
