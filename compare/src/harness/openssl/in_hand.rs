//! A session in a variable: the lower bound for any store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslConnectorBuilder, SslRef, SslSession};

use super::offer::offer;
use super::session_source::{NO_INTERNAL, SessionSource, reused_tls12};
use crate::harness::custom::is_single_use;
use crate::harness::tls_client::SERVER_NAME;

/// A context with one session. A newer session replaces the older one.
pub(super) struct InHand {
    connector: SslConnector,
    slot: Slot<SslSession>,
}

impl InHand {
    pub(super) fn new(mut builder: SslConnectorBuilder) -> Self {
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

impl SessionSource for InHand {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(SERVER_NAME)?;
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

    fn handshake_done(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(session) = reused_tls12(ssl) {
            self.slot.lock().replace(session.to_owned());
        }
        Ok(())
    }
}

/// A variable that a context's callback shares with the context's owner.
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
