//! A store that a program brings, fed by the same callback as the other stores.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslConnectorBuilder, SslRef};

use super::offer::offer;
use super::session_source::{NO_INTERNAL, SessionSource, reused_tls12};
use crate::harness::custom::OpenSslStore;
use crate::harness::tls_client::{PORT, SERVER_NAME};

/// A context with a custom store.
pub(super) struct Custom {
    connector: SslConnector,
    store: Arc<dyn OpenSslStore>,
}

impl Custom {
    pub(super) fn new(mut builder: SslConnectorBuilder, store: Arc<dyn OpenSslStore>) -> Self {
        let received = Arc::clone(&store);
        builder.set_session_cache_mode(NO_INTERNAL);
        builder
            .set_new_session_callback(move |_, session| received.put(SERVER_NAME, PORT, session));
        Self {
            connector: builder.build(),
            store,
        }
    }
}

impl SessionSource for Custom {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(SERVER_NAME)?;
        if let Some(session) = self.store.offer(SERVER_NAME, PORT) {
            offer(&mut ssl, &session)?;
        }
        Ok(ssl)
    }

    fn handshake_done(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(session) = reused_tls12(ssl) {
            self.store.put(SERVER_NAME, PORT, session.to_owned());
        }
        Ok(())
    }
}
