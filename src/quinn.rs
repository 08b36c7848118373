//! QUIC by quinn: its sessions, early data and tokens in a bounded, expiring store.
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
//! `Connecting::into_0rtt` gives a connection at once where there is a session that allows it. What
//! is [said of early data](crate::rustls::Connector::connect_early) holds there
//! too: it can be played again by others, and each session is used once. If the server rejects it,
//! all streams that were opened before are lost with what was sent on them
//! (`ZeroRttRejected`): what `into_0rtt` gives beside the connection says whether it did, and then
//! they are opened anew on the same connection.

use std::fmt;
use std::sync::Arc;

use ::quinn::TokenStore;
use ::quinn::crypto::rustls::QuicClientConfig;
use bytes::Bytes;
use store_core::{
    Clock, Entry, KeyRef, Limits, LimitsError, SecurityDomain, SessionStore, Stats, Storable, Usage,
};

use crate::rustls::Connector;
use crate::{Error, ErrorKind, Protocol};

/// A configuration for quinn's client that trusts and offers what this connector does, and keeps its
/// sessions in the connector's store, apart from those of TCP; and its tokens in a store of their
/// own within the same limits ([`Tokens`]).
///
/// Make it once and clone it, so that its connections share tokens. The connector's `clear` removes
/// sessions and no tokens: to remove those, give the configuration [`Tokens`] that you keep, by
/// quinn's `ClientConfig::token_store`.
///
/// The connector must allow TLS 1.3 and offer a protocol by ALPN (RFC 9001, section 8.1).
pub fn client_config(connector: &Connector) -> Result<::quinn::ClientConfig, Error> {
    let settings = connector.settings();
    let refused = |message| Error::new(ErrorKind::Config, message);
    if !settings.protocols.contains(&Protocol::Tls13) {
        return Err(refused("QUIC needs TLS 1.3: allow it"));
    }
    if settings.alpn.is_empty() {
        return Err(refused(
            "QUIC needs a protocol: offer one by alpn, such as h3",
        ));
    }
    let mut tls = connector.client_config_in(domain_of(connector.security_domain()));
    // quinn sends none but by `into_0rtt`.
    tls.enable_early_data = settings.early_data;
    let tls = QuicClientConfig::try_from(tls).map_err(|error| {
        refused("the cryptography has no cipher suite for QUIC").caused_by(error)
    })?;
    let tokens = Tokens::new(settings.limits.clone(), Arc::clone(&settings.clock))?;
    let mut config = ::quinn::ClientConfig::new(Arc::new(tls));
    config.token_store(Arc::new(tokens));
    Ok(config)
}

/// What was made over TCP is not used over QUIC, nor the other way round.
pub(crate) fn domain_of(connector: &SecurityDomain) -> SecurityDomain {
    SecurityDomain::builder("tls-resume quinn")
        .field("connector", connector.as_bytes())
        .field("transport", b"quic")
        .finish()
}

/// The tokens that servers give for later connections, so that those need not prove their address
/// first (RFC 9000, section 8.1.3): each used once, the newest first, bounded as sessions are.
///
/// A server does not say how long a token is good. This store gives one up after
/// [`single_use_lifetime`](Limits::single_use_lifetime), at most 7 days; one that the server no
/// longer takes costs a round trip. All ports of a host are one server, as for sessions;
/// [`never_resume`](crate::rustls::ConnectorBuilder::never_resume) is not for tokens, which prove an
/// address and nothing else. But they let a server link a client's connections: between identities,
/// close the connections, whose servers may still send some, and [`clear`](Self::clear).
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

    /// What was stored, handed out and dropped, and what is held: each session there is a token.
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
        // quinn's is a part of the datagram that it came in, and would keep all of that alive.
        let token = Token(Bytes::copy_from_slice(&token));
        let entry = Entry::new(token, Usage::SingleUse, None, weight, now);
        // Refused is counted, and costs a round trip.
        let begun = self.store.generation();
        let _ = self.store.put(self.key(server_name), entry, begun, now);
    }

    fn take(&self, server_name: &str) -> Option<Bytes> {
        let offer = self.store.take(self.key(server_name), self.clock.now())?;
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

/// A token, which is for one use and has no copy.
struct Token(Bytes);

impl Storable for Token {
    fn duplicate(&self) -> Option<Self> {
        None
    }
}
