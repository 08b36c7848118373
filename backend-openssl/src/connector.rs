//! An OpenSSL context whose connections use the store.

use std::fmt;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ConnectConfiguration, HandshakeError, Ssl, SslConnector, SslConnectorBuilder, SslRef,
    SslSessionCacheMode, SslStream,
};
use store_core::{AddressId, KeyRef, SecurityDomain, SessionKey};
use thiserror::Error;

use crate::connection::{Begin, Connection, Phase, Settings};
use crate::groups::Groups;
use crate::sessions::Sessions;
use crate::verification::{ContextRequirements, Requirements};
use crate::{callbacks, ex_data, ffi};

impl Sessions {
    /// Builds a context whose connections keep their sessions in this store. An error if the
    /// builder already has a `new_session` or info callback.
    ///
    /// Sets the session cache mode and the `new_session` callback. Callbacks can be set on a builder
    /// only, so this takes the finished builder and returns the connector. The info callback is set
    /// on each connection.
    ///
    /// Makes the first message of a connection that is not used, to read the groups from it.
    ///
    /// The sessions of connections that receive TLS 1.3 tickets have no id
    /// (`SSL_SESSION_set1_id`): an application that keeps such a session for itself cannot offer it.
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
        let inner = builder.build();
        let any_host = inner.configure().and_then(|one| one.into_ssl("host")).ok();
        let requirements = any_host.as_deref().and_then(ContextRequirements::read);
        let groups = any_host.and_then(Groups::read).map(Arc::new);
        let lists = groups.as_ref().map(|groups| groups.lists(false));
        Ok(Connector {
            requirements: requirements.map(Arc::new),
            groups,
            settings: Arc::new(Settings {
                sessions: self.clone(),
                lists,
            }),
            inner,
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
    settings: Arc<Settings>,
    domain: SecurityDomain,
    /// What the context requires of peers that have a name. `None`: OpenSSL is asked each time.
    requirements: Option<Arc<ContextRequirements>>,
    /// The groups that the context offers. `None`: it sends no key share.
    groups: Option<Arc<Groups>>,
}

impl Connector {
    /// Sets whether the first message keeps the key share of a post-quantum group, such as
    /// X25519MLKEM768, which it has by the context's settings. Default `false`.
    ///
    /// Every connection offers all groups of the context. The one that the server chose last comes
    /// first, and alone has a key share. A server that changes its mind asks for another by a
    /// `HelloRetryRequest`, once. So a server that has learned a post-quantum group after the first
    /// connection may go on choosing the one before: with `true`, its key share is sent as well,
    /// and before the other, for about 90 microseconds and 1.2 kB a handshake.
    ///
    /// Before OpenSSL 3.5 a client sends one key share: with `true`, that of a post-quantum group
    /// which comes first stays.
    #[must_use]
    pub fn keep_post_quantum(self, keep: bool) -> Self {
        let lists = self.groups.as_ref().map(|groups| groups.lists(keep));
        let sessions = self.sessions().clone();
        Self {
            settings: Arc::new(Settings { sessions, lists }),
            ..self
        }
    }

    /// The same context over other sessions: for connections that share none with this connector's.
    ///
    /// The domain is the same. Sessions in one store that are used in different ways
    /// ([`Sessions::with_reuse_tickets`]) need domains that differ, so give it another store.
    #[must_use]
    pub fn over(&self, sessions: Sessions) -> Self {
        let lists = self.settings.lists.clone();
        Self {
            settings: Arc::new(Settings { sessions, lists }),
            ..self.clone()
        }
    }

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
    /// Faster than `prepare`, which has to ask OpenSSL what the `Ssl` requires.
    pub fn ssl(&self, host: &str, key: SessionKey) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.prepared(host, key, Begin::prepared())?;
        callbacks::observe(&mut ssl);
        Ok(ssl)
    }

    /// As [`ssl`](Self::ssl), for a driver that itself tells the
    /// [`Connection`](crate::Connection) that its handshake
    /// [succeeds](crate::Connection::handshake_succeeded) or
    /// [fails](crate::Connection::handshake_failed), that a
    /// [fatal alert](crate::Connection::alert_received) has come and that it has sent
    /// [`close_notify`](crate::Connection::closed). OpenSSL calls no info callback, which it would
    /// do 12 to 16 times in a resumed handshake.
    ///
    /// The handshake counts as under way from this call on: if the `Ssl` is dropped, it has failed.
    ///
    /// `address` is that which the connection is made to, if it is known. Addresses of one host may not share
    /// ticket keys: a connection is offered a session of its own address first, and none that is known to be
    /// declined there.
    ///
    /// Without `offers`, no session is offered, though those received are stored: for a second
    /// attempt after a handshake that failed.
    pub fn driven(
        &self,
        host: &str,
        key: SessionKey,
        address: Option<IpAddr>,
        offers: bool,
    ) -> Result<Ssl, ErrorStack> {
        let begin = Begin {
            phase: Phase::UnderWay,
            address: address.map(AddressId::from),
            offers,
        };
        self.prepared(host, key, begin)
    }

    fn prepared(&self, host: &str, key: SessionKey, begin: Begin) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.configure()?.into_ssl(host)?;
        // `into_ssl` requires an address if `host` is one, and no name if it is empty.
        let has_name = !host.is_empty() && host.parse::<IpAddr>().is_err();
        let requirements = self.requirements.as_ref().filter(|_| has_name);
        let requirements = requirements.map(|context| context.for_host(host));
        self.attach_connection(&mut ssl, key, requirements, begin);
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
    /// Sets the info callback of the `Ssl`, and the order of its groups if the server's is known.
    /// [`connection()`](crate::connection()) returns the [`Connection`](crate::Connection) attached
    /// here. If OpenSSL has no `ex_data` slot left, nothing is attached, offered or stored.
    pub fn prepare(&self, ssl: &mut SslRef, key: SessionKey) {
        self.attach_connection(ssl, key, None, Begin::prepared());
        callbacks::observe(ssl);
    }

    #[inline]
    fn attach_connection(
        &self,
        ssl: &mut SslRef,
        key: SessionKey,
        plain: Option<Requirements<'_>>,
        begin: Begin,
    ) {
        let Some(index) = ex_data::index() else {
            return;
        };
        let settings = Arc::clone(&self.settings);
        let connection = Connection::prepare(settings, key, ssl, plain, begin);
        ssl.set_ex_data(index, connection);
    }

    /// The store.
    pub fn sessions(&self) -> &Sessions {
        &self.settings.sessions
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
