//! An adapter for quinn: sessions and address tokens in a bounded, expiring store, and early data.
//!
//! ```no_run
//! # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::{quinn::client_config, rustls::Connector};
//!
//! let connector = Connector::builder().alpn(["h3"]).build()?;
//! let mut endpoint = quinn::Endpoint::client("[::]:0".parse()?)?;
//! endpoint.set_default_client_config(client_config(&connector)?);
//! let connection = endpoint.connect("192.0.2.1:443".parse()?, "example.com")?.await?;
//! # let _ = connection;
//! # Ok(())
//! # }
//! ```
//!
//! With [`early_data`](crate::rustls::ConnectorBuilder::early_data) allowed, quinn's
//! `Connecting::into_0rtt` returns a connection at once if there is a session that allows early
//! data. Read first [when it is safe](crate::rustls::Connector::connect_early): an attacker can
//! replay early data. Each session is used once. If the server rejects early data, the streams
//! opened before are lost with the data sent on them (`ZeroRttRejected`). The future that
//! `into_0rtt` returns with the connection yields whether the server accepted; if not, open the
//! streams again on the same connection.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ::quinn::crypto::rustls::QuicClientConfig;
use ::quinn::{ConnectError, TokenStore, crypto};
pub use backend_rustls::SessionData;
use bytes::Bytes;
use quinn_proto::transport_parameters::TransportParameters;
use store_core::{
    Clock, Entry, KeyRef, Limits, LimitsError, SecurityDomain, SessionStore, Stats, Storable,
    Usage, Want,
};

use crate::connector::Configured;
use crate::rustls::{Connector, Rustls};
use crate::{Error, Protocol, domain};

/// Builds a configuration for quinn's client that trusts and offers what this connector does. It
/// stores sessions in the connector's store, in a domain that TCP connections do not use, and
/// address tokens in a store of their own with the same limits ([`Tokens`]).
///
/// Make it once and clone it, so that its connections share tokens. The connector's `clear` removes
/// sessions but no tokens: to remove those, set [`Tokens`] of your own by quinn's
/// `ClientConfig::token_store`.
///
/// If the connector has a [source](crate::rustls::ConnectorBuilder::client_credentials) of credentials,
/// each connection authenticates with the one at its begin, and resumes sessions of that one alone.
///
/// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) unless the connector allows TLS 1.3
/// and offers a protocol by ALPN (RFC 9001, sections 4.2 and 8.1).
pub fn client_config(connector: &Connector) -> Result<::quinn::ClientConfig, Error> {
    check(connector)?;
    let crypto = Crypto::new(connector)?;
    let mut config = ::quinn::ClientConfig::new(Arc::new(crypto));
    config.token_store(tokens(connector)?);
    Ok(config)
}

/// Whether the connector is for QUIC.
fn check(connector: &Connector) -> Result<(), Error> {
    let settings = connector.settings();
    if !settings.protocols.contains(&Protocol::Tls13) {
        return Err(Error::config("QUIC needs TLS 1.3: allow it"));
    }
    if settings.alpn.is_empty() {
        return Err(Error::config(
            "QUIC needs an application protocol: offer one by alpn, such as h3",
        ));
    }
    Ok(())
}

/// A store of address tokens with the connector's limits.
fn tokens(connector: &Connector) -> Result<Arc<Tokens>, Error> {
    let settings = connector.settings();
    let tokens = Tokens::new(settings.limits.clone(), Arc::clone(&settings.clock))?;
    Ok(Arc::new(tokens))
}

/// Makes a configuration for each connection, with what the application keeps beside its sessions. For
/// HTTP/3 with early data; otherwise [`client_config`] is enough.
///
/// A client that sends early data must keep to the server's SETTINGS of the connection that the session
/// comes from (RFC 9114, section 7.2.4.2). [`SessionData::offered`] has them as soon as
/// `Endpoint::connect_with` has returned, before `into_0rtt`. [`SessionData::set`] keeps those of this
/// connection, when they arrive.
///
/// ```no_run
/// # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
/// # let endpoint = quinn::Endpoint::client("[::]:0".parse()?)?;
/// use tls_resume::{quinn::Client, rustls::Connector};
///
/// let connector = Connector::builder().alpn(["h3"]).early_data(true).build()?;
/// let client = Client::new(&connector)?;
/// let (config, data) = client.connection()?;
/// let connecting = endpoint.connect_with(config, "192.0.2.1:443".parse()?, "example.com")?;
/// let remembered = data.offered(); // the SETTINGS for early data
/// // ... and when those of this connection arrive:
/// data.set(Some(b"encoded SETTINGS"[..].try_into()?));
/// # let _ = (connecting, remembered);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    tokens: Arc<Tokens>,
}

impl Client {
    /// Connections that trust and offer what `connector` does, as with [`client_config`], and resume the
    /// sessions that it resumes. Fails for the same reasons.
    pub fn new(connector: &Connector) -> Result<Self, Error> {
        check(connector)?;
        Ok(Self {
            connector: connector.clone(),
            tokens: tokens(connector)?,
        })
    }

    /// A configuration for the next connection alone. All of them share their address tokens. Fails as
    /// [`new`](Self::new) does, which a client that was made never does.
    pub fn connection(&self) -> Result<(::quinn::ClientConfig, SessionData), Error> {
        let (data, configured) = (SessionData::new(), self.connector.configured());
        let crypto = quic_config(&self.connector, &configured, Some(&data))?;
        let mut config = ::quinn::ClientConfig::new(crypto);
        let tokens: Arc<dyn TokenStore> = Arc::<Tokens>::clone(&self.tokens);
        config.token_store(tokens);
        Ok((config, data))
    }
}

/// quinn's TLS: each connection has the configuration of the connector's client credential at its begin.
struct Crypto {
    connector: Connector,
    /// The configuration made last, with the security domain of its credential.
    latest: Mutex<(SecurityDomain, Arc<QuicClientConfig>)>,
}

impl Crypto {
    fn new(connector: &Connector) -> Result<Self, Error> {
        let configured = connector.configured();
        let latest = (
            *configured.domain(),
            quic_config(connector, &configured, None)?,
        );
        Ok(Self {
            connector: connector.clone(),
            latest: Mutex::new(latest),
        })
    }

    fn current(&self) -> Arc<QuicClientConfig> {
        let configured = self.connector.configured();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.0 != *configured.domain()
            // The provider is the same, so it has the cipher suite as before.
            && let Ok(config) = quic_config(&self.connector, &configured, None)
        {
            *latest = (*configured.domain(), config);
        }
        Arc::clone(&latest.1)
    }
}

impl crypto::ClientConfig for Crypto {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn crypto::Session>, ConnectError> {
        self.current().start_session(version, server_name, params)
    }
}

fn quic_config(
    connector: &Connector,
    configured: &Configured<Rustls>,
    data: Option<&SessionData>,
) -> Result<Arc<QuicClientConfig>, Error> {
    let settings = connector.settings();
    let domain = domain::of_quic(&connector.scope().domain(configured.domain()));
    let mut tls = connector.client_config_in(domain, configured, data);
    // quinn sends early data after `into_0rtt` only.
    tls.enable_early_data = settings.early_data;
    let tls = QuicClientConfig::try_from(tls).map_err(|error| {
        Error::config("the crypto provider has no cipher suite for QUIC").caused_by(error)
    })?;
    Ok(Arc::new(tls))
}

/// A store of address validation tokens, which let a server skip the validation of the client's
/// address on later connections (RFC 9000, section 8.1.3). Each is used once, the newest first,
/// within limits.
///
/// A token does not state its lifetime. Here it expires after
/// [`single_use_lifetime`](Limits::single_use_lifetime), at most 7 days; a token that the server no
/// longer accepts costs a round trip. All ports of a host are one server, as for sessions.
/// [`never_resume`](crate::rustls::ConnectorBuilder::never_resume) does not apply to tokens, which
/// prove only an address. But a server can link a client's connections by them: to avoid that,
/// close the connections, on which more tokens may arrive, and then call [`clear`](Self::clear).
pub struct Tokens {
    store: SessionStore<Token>,
    clock: Arc<dyn Clock>,
    domain: SecurityDomain,
}

impl Tokens {
    /// An empty store.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, LimitsError> {
        Ok(Self {
            store: SessionStore::new(limits)?,
            clock,
            domain: SecurityDomain::builder("tls-resume quinn tokens").finish(),
        })
    }

    /// What the store has counted, and what it holds. Its sessions are tokens.
    pub fn stats(&self) -> Stats {
        self.store.stats()
    }

    /// Removes all tokens.
    pub fn clear(&self) {
        self.store.clear();
    }

    fn key<'k>(&'k self, server_name: &'k str) -> KeyRef<'k> {
        KeyRef::new(&self.domain, server_name)
    }
}

impl TokenStore for Tokens {
    fn insert(&self, server_name: &str, token: Bytes) {
        let (weight, now) = (token.len(), self.clock.now());
        // A copy: quinn's token is a slice of its datagram, and would keep all of that in memory.
        let token = Token(Bytes::copy_from_slice(&token));
        let entry = Entry::new(token, Usage::SingleUse, None, weight, now);
        // The store counts refusals; the next connection then takes a round trip more.
        let generation = self.store.generation();
        let _ = self
            .store
            .put(self.key(server_name), entry, generation, now);
    }

    fn take(&self, server_name: &str) -> Option<Bytes> {
        let offer = self.store.offer(
            self.key(server_name),
            Want::SingleUse,
            self.clock.now(),
            |_| true,
        )?;
        Some(offer.entry.session.0)
    }
}

impl fmt::Debug for Tokens {
    /// Shows the counters, never a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A token: single-use, and so never duplicated.
struct Token(Bytes);

impl Storable for Token {
    fn duplicate(&self) -> Option<Self> {
        None
    }
}
