//! The interface between a client and its store.

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslConnector, SslConnectorBuilder, SslRef, SslSessionCacheMode, SslSessionRef,
};

use crate::harness::custom::is_single_use;
use crate::harness::tls_client::SERVER_NAME;

/// A context with a store: makes connections that offer a session.
pub(super) trait SessionSource: Send + Sync {
    /// A connection to [`SERVER_NAME`], with a session offered if the store has one.
    fn connection(&self) -> Result<Ssl, ErrorStack>;

    /// Called when the handshake is done.
    fn connected(&self, _: &SslRef) {}

    /// Called when `close_notify` is sent.
    fn closed(&self, _: &SslRef) {}

    /// Called when the handshake is done and the tickets that follow it are read.
    fn handshake_done(&self, _: &SslRef) -> Result<(), ErrorStack> {
        Ok(())
    }
}

/// A context without a store.
pub(super) struct NoSessions(SslConnector);

impl NoSessions {
    pub(super) fn new(mut builder: SslConnectorBuilder) -> Self {
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        Self(builder.build())
    }
}

impl SessionSource for NoSessions {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        self.0.configure()?.into_ssl(SERVER_NAME)
    }
}

/// Sessions go to the callback, and not to OpenSSL's own cache.
pub(super) const NO_INTERNAL: SslSessionCacheMode = SslSessionCacheMode::CLIENT
    .union(SslSessionCacheMode::NO_INTERNAL)
    .union(SslSessionCacheMode::NO_AUTO_CLEAR);

/// The session of a resumed TLS 1.2 connection: the one that was offered, or the renewed one.
/// OpenSSL calls no callback for it.
pub(super) fn reused_tls12(ssl: &SslRef) -> Option<&SslSessionRef> {
    let session = ssl.session()?;
    (ssl.session_reused() && !is_single_use(session)).then_some(session)
}
