//! A session as bytes in a variable: the lower bound for any store of bytes.

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslConnectorBuilder, SslRef, SslSession, SslSessionRef};

use super::in_hand::Slot;
use super::offer::offer;
use super::session_source::{NO_INTERNAL, SessionSource, reused_tls12};
use crate::harness::custom::is_single_use;
use crate::harness::tls_client::SERVER_NAME;

/// A context with one encoded session.
pub(super) struct Der {
    connector: SslConnector,
    slot: Slot<Encoded>,
}

#[derive(Clone)]
struct Encoded {
    single_use: bool,
    /// Differs once the server has renewed the session.
    id: Vec<u8>,
    bytes: Vec<u8>,
}

impl Encoded {
    fn new(session: &SslSessionRef) -> Result<Self, ErrorStack> {
        Ok(Self {
            single_use: is_single_use(session),
            id: session.id().to_vec(),
            bytes: session.to_der()?,
        })
    }
}

impl Der {
    pub(super) fn new(mut builder: SslConnectorBuilder) -> Self {
        let slot = Slot::default();
        let received = slot.clone();
        builder.set_session_cache_mode(NO_INTERNAL);
        builder.set_new_session_callback(move |_, session| {
            *received.lock() = Encoded::new(&session).ok();
        });
        Self {
            connector: builder.build(),
            slot,
        }
    }
}

impl SessionSource for Der {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(SERVER_NAME)?;
        let encoded = {
            let mut slot = self.slot.lock();
            match &*slot {
                Some(reusable) if !reusable.single_use => Some(reusable.clone()),
                _ => slot.take(),
            }
        };
        if let Some(encoded) = encoded {
            offer(&mut ssl, &*SslSession::from_der(&encoded.bytes)?)?;
        }
        Ok(ssl)
    }

    fn handshake_done(&self, ssl: &SslRef) -> Result<(), ErrorStack> {
        if let Some(session) = reused_tls12(ssl) {
            let mut slot = self.slot.lock();
            if slot.as_ref().is_none_or(|kept| kept.id != session.id()) {
                *slot = Some(Encoded::new(session)?);
            }
        }
        Ok(())
    }
}
