//! What a connection of the faulty client keeps for its kin.

use std::sync::Arc;

use conformance::{Client, Connection, Failure, Options, Setup, Wire};
use store_core::{Generation, SessionStore};
use tls_resume::{Resumption, ReuseTickets};

use super::client::FaultyClient;
use super::connection::FaultyConnection;
use super::fault::Fault;

/// A client with a store of its own, for one connection and its kin.
pub(crate) struct Kept {
    client: FaultyClient,
    host: String,
    port: u16,
    /// When the connection began, in the store of the client that made it.
    begun: Generation,
}

impl FaultyClient {
    /// Makes a handshake, and keeps the session.
    pub(super) fn connect_keeping(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
    ) -> Result<FaultyConnection, Failure> {
        let store = if self.state.has(Fault::KinShareTheStore) {
            Arc::clone(&self.state.store)
        } else {
            let store = SessionStore::new(self.setup.limits.clone().with_servers(1));
            Arc::new(store.expect("valid limits"))
        };
        let reuse_tickets = if self.state.has(Fault::KinUseTicketsOnce) {
            ReuseTickets::Never
        } else {
            ReuseTickets::UntilRenewed
        };
        let setup = Setup {
            reuse_tickets,
            ..self.setup.clone()
        };
        let begun = self.state.store.generation();
        let client = Self::over(setup, store, None, Some(self.state.domain));
        let client = client.map_err(Failure::Other)?;
        let mut connection = client.connect(host, port, wire)?;
        connection.kept = Some(Arc::new(Kept {
            client,
            host: host.to_owned(),
            port,
            begun,
        }));
        Ok(connection)
    }

    /// Makes a handshake that resumes the session of `connection`.
    pub(super) fn resume_kept(
        &self,
        connection: &FaultyConnection,
        wire: Wire,
    ) -> Result<FaultyConnection, Failure> {
        let kept = connection.kept.as_ref();
        let kept = kept.ok_or_else(|| Failure::Other("it keeps no session".to_owned()))?;
        let key = self.state.key(&kept.host, kept.port, &Options::default());
        let is_cleared = self.state.store.is_cleared_since(&key, kept.begun);
        if is_cleared && !self.state.has(Fault::KinSurviveClear) {
            kept.client.state.store.clear();
        }
        let kin = kept.client.connect(&kept.host, kept.port, wire)?;
        let is_kin = kin.resumption() == Resumption::Resumed;
        if !is_kin && !self.state.has(Fault::KinKeepOtherSessions) {
            kin.forget();
        }
        Ok(kin)
    }
}
