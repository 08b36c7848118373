//! A session that lies ready in a variable: the least that a store can be.
#![allow(
    unsafe_code,
    reason = "the openssl crate has no safe way to offer a session"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{
    ConnectConfiguration, Ssl, SslConnector, SslConnectorBuilder, SslRef, SslSession,
    SslSessionCacheMode, SslVersion,
};

/// A context with one place for a session. A newer one replaces the one that is there.
pub(super) struct InHand {
    connector: SslConnector,
    slot: Arc<Mutex<Option<SslSession>>>,
}

impl InHand {
    pub(super) fn attach(mut builder: SslConnectorBuilder) -> Self {
        let slot = Arc::new(Mutex::new(None));
        let received = Arc::clone(&slot);
        builder
            .set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        builder.set_new_session_callback(move |_, session| {
            *lock(&received) = Some(session);
        });
        Self {
            connector: builder.build(),
            slot,
        }
    }

    pub(super) fn configure(&self) -> Result<ConnectConfiguration, ErrorStack> {
        self.connector.configure()
    }

    /// Offers the session, if there is one, and leaves the variable empty.
    pub(super) fn offer(&self, mut ssl: Ssl) -> Result<Ssl, ErrorStack> {
        let session = lock(&self.slot).take();
        if let Some(session) = session {
            // SAFETY: what is in the slot came from a connection of `connector`'s context, and
            // `ssl` is one, too. OpenSSL takes a reference of its own.
            unsafe { ssl.set_session(&session) }?;
        }
        Ok(ssl)
    }

    /// Puts the session back after a resumed TLS 1.2 handshake, for which there is no callback. It
    /// is the connection's own: where the ticket was renewed, that is a newer one.
    pub(super) fn keep(&self, ssl: &SslRef) {
        if ssl.session_reused() && ssl.version2() == Some(SslVersion::TLS1_2) {
            *lock(&self.slot) = ssl.session().map(ToOwned::to_owned);
        }
    }
}

fn lock(slot: &Mutex<Option<SslSession>>) -> MutexGuard<'_, Option<SslSession>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
