//! A session that lies ready in a variable: the least that a store can be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslConnector, SslConnectorBuilder, SslRef, SslSession, SslSessionCacheMode, SslSessionRef,
};

use super::offer::offer;
use super::{Keeper, NAME};
use crate::harness::is_single_use;

/// A context with one place for a session. A newer one replaces the one that is there.
pub(super) struct InHand {
    connector: SslConnector,
    slot: Slot<SslSession>,
}

impl InHand {
    pub(super) fn attach(mut builder: SslConnectorBuilder) -> Self {
        let slot = Slot::default();
        let received = slot.clone();
        builder.set_session_cache_mode(NO_INTERNAL);
        builder.set_new_session_callback(move |_, session| {
            received.lock().replace(session);
        });
        Self {
            connector: builder.build(),
            slot,
        }
    }
}

impl Keeper for InHand {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(NAME)?;
        let session = {
            let mut slot = self.slot.lock();
            if slot.as_deref().is_some_and(is_single_use) {
                slot.take()
            } else {
                slot.clone()
            }
        };
        if let Some(session) = session {
            offer(&mut ssl, &session)?;
        }
        Ok(ssl)
    }

    /// Keeps what a resumed TLS 1.2 handshake has renewed, for which there is no callback.
    fn settled(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(session) = reused_tls12(ssl) {
            self.slot.lock().replace(session.to_owned());
        }
        Ok(())
    }
}

/// Sessions go to the callback and nowhere else.
pub(super) const NO_INTERNAL: SslSessionCacheMode = SslSessionCacheMode::CLIENT
    .union(SslSessionCacheMode::NO_INTERNAL)
    .union(SslSessionCacheMode::NO_AUTO_CLEAR);

/// A place that the callback of a context shares with the context's owner.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The session of a resumed TLS 1.2 connection: the one that was offered, or the server's newer one.
pub(super) fn reused_tls12(ssl: &SslRef) -> Option<&SslSessionRef> {
    let session = ssl.session()?;
    (ssl.session_reused() && !is_single_use(session)).then_some(session)
}
