//! A store that a program brings, behind the callback that every store here uses.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslConnectorBuilder, SslRef};

use super::in_hand::{NO_INTERNAL, reused_tls12};
use super::offer::offer;
use super::{Keeper, NAME, PORT};
use crate::harness::OpenSslStore;

/// A context with such a store.
pub(super) struct Brought {
    connector: SslConnector,
    store: Arc<dyn OpenSslStore>,
}

impl Brought {
    pub(super) fn attach(mut builder: SslConnectorBuilder, store: Arc<dyn OpenSslStore>) -> Self {
        let receives = Arc::clone(&store);
        builder.set_session_cache_mode(NO_INTERNAL);
        builder.set_new_session_callback(move |_, session| receives.put(NAME, PORT, session));
        Self {
            connector: builder.build(),
            store,
        }
    }
}

impl Keeper for Brought {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(NAME)?;
        if let Some(session) = self.store.offer(NAME, PORT) {
            offer(&mut ssl, &session)?;
        }
        Ok(ssl)
    }

    fn settled(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(session) = reused_tls12(ssl) {
            self.store.put(NAME, PORT, session.to_owned());
        }
        Ok(())
    }
}
