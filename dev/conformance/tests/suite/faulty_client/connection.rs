//! A connection of the faulty client.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use backend_openssl::{early_data_accepted, negotiated_group};
use conformance::{Connection, Failure, Wire};
use openssl::ssl::{ErrorCode, SslSession, SslStream, SslVersion};
use store_core::Outcome;
use tls_resume::{ReadTimeout, Resumption};

use super::fault::Fault;
use super::kin::Kept;
use super::state::{ClientState, Offered, index, lock};

/// A connection of the client.
pub(crate) struct FaultyConnection {
    pub(crate) stream: SslStream<Wire>,
    pub(crate) client: Arc<ClientState>,
    pub(crate) offered: Option<Offered>,
    /// What it keeps for its kin.
    pub(crate) kept: Option<Arc<Kept>>,
}

impl FaultyConnection {
    fn received(&self) -> usize {
        let state = self.stream.ssl().ex_data(index());
        state.map_or(0, |state| lock(state).received)
    }

    /// Makes the handshake, with `data` as early data. Returns how many bytes were accepted.
    pub(crate) fn handshake(&mut self, data: &[u8]) -> Result<usize, openssl::ssl::Error> {
        let session = self.stream.ssl().session();
        let allowed = session.map_or(0, |session| session.max_early_data() as usize);
        let data = match self.client.fault {
            _ if self.offered.is_none() || allowed == 0 => b"",
            Fault::SendsEarlyDataByDefault => &b"too early"[..],
            Fault::ExceedsEarlyDataLimit => data,
            _ => &data[..data.len().min(allowed)],
        };
        if !data.is_empty() {
            self.stream.write_early_data(data)?;
        }
        self.stream.connect()?;
        let accepted = early_data_accepted(self.stream.ssl());
        if accepted || self.client.has(Fault::ReportsAllEarlyDataAccepted) {
            Ok(data.len())
        } else {
            Ok(0)
        }
    }

    /// Reports the completed handshake to the store, and stores a renewed TLS 1.2 ticket.
    pub(crate) fn record_outcome(&self) {
        let ssl = self.stream.ssl();
        let Some(state) = ssl.ex_data(index()) else {
            return;
        };
        let resumed = ssl.session_reused();
        let (key, begun, manner) = {
            let mut state = lock(state);
            state.resumed = resumed;
            (state.key.clone(), state.begun, state.manner)
        };
        if let Some(group) = negotiated_group(ssl).filter(|_| !self.client.has(Fault::ForgetsGroup))
        {
            self.client.store.set_hint(&key, group);
        }
        let outcome = match &self.offered {
            _ if !manner.reports => Outcome::Succeeded,
            Some(_) if resumed => Outcome::Resumed,
            Some(_) => Outcome::Declined,
            None => Outcome::Full,
        };
        let silent = match self.client.fault {
            Fault::ReportsNothing => true,
            Fault::ReportsNoSuccess => !manner.reports,
            _ => false,
        };
        if !silent {
            let (store, now) = (&self.client.store, self.client.now());
            store.finish(&key, &begun, Some(outcome), None, None, now);
        }
        let Some(offered) = &self.offered else { return };
        if !resumed || ssl.version2() == Some(SslVersion::TLS1_3) {
            return;
        }
        if self.client.has(Fault::MissesRenewals) {
            return;
        }
        let renewed = ssl.session().map(ToOwned::to_owned);
        let differs = |session: &SslSession| session.to_der().is_ok_and(|der| der != offered.der);
        if let Some(session) = renewed.filter(differs) {
            self.client.put(ssl, session);
        }
    }
}

impl FaultyConnection {
    /// Sends a byte, reads its echo, and ends the connection. Returns whether it was resumed.
    pub(crate) fn finish(mut self) -> Result<bool, Failure> {
        let resumed = self.stream.ssl().session_reused();
        let written = self.stream.write_all(b"a");
        written.map_err(|error| Failure::Other(error.to_string()))?;
        self.read_data().map_err(Failure::Other)?;
        self.close().map_err(Failure::Other)?;
        Ok(resumed)
    }
}

impl Connection for FaultyConnection {
    fn resumption(&self) -> Resumption {
        match (self.stream.ssl().session_reused(), &self.offered) {
            (true, _) if self.client.has(Fault::ReportsFull) => Resumption::Full,
            (true, _) => Resumption::Resumed,
            (false, Some(_)) => Resumption::Declined,
            (false, None) => Resumption::Full,
        }
    }

    fn read_tickets(&mut self) -> Result<usize, String> {
        const PAUSE: Duration = Duration::from_millis(20);
        let message = |error: std::io::Error| error.to_string();
        self.stream
            .get_ref()
            .set_read_timeout(Some(PAUSE))
            .map_err(message)?;
        // A server in this process has sent everything before the first read.
        let over_tcp = self
            .stream
            .get_ref()
            .read_timeout()
            .map_err(message)?
            .is_some();
        let mut reads = if over_tcp { 500 } else { 1 };
        while reads > 0 {
            match self.stream.ssl_peek(&mut [0]) {
                Err(error) if error.code() == ErrorCode::WANT_READ => {}
                Err(error) => return Err(error.to_string()),
                Ok(_) => return Err("application data arrived".into()),
            }
            let done =
                self.received() > 0 || self.stream.ssl().version2() == Some(SslVersion::TLS1_2);
            reads = if done { 0 } else { reads - 1 };
        }
        self.stream
            .get_ref()
            .set_read_timeout(None)
            .map_err(message)?;
        Ok(self.received())
    }

    fn read_data(&mut self) -> Result<usize, String> {
        let read = self.stream.ssl_read(&mut [0; 64]);
        let alert = read
            .as_ref()
            .is_err_and(|error| error.code() == ErrorCode::SSL);
        let state = self.stream.ssl().ex_data(index());
        if alert
            && self.stream.ssl().session_reused()
            && let (Some(state), Some(offered)) = (state, &self.offered)
        {
            let (store, key) = (&self.client.store, &lock(state).key);
            if !self.client.has(Fault::ForgetsLateRejections) {
                store.report(key, Outcome::RejectedLate, self.client.now());
            }
            if !self.client.has(Fault::KeepsReusableAfterAlert) {
                store.remove_up_to(key, offered.id);
            }
        }
        read.map_err(|error| error.to_string())
    }

    fn forget(&self) {
        let Some(state) = self.stream.ssl().ex_data(index()) else {
            return;
        };
        let mut state = lock(state);
        state.revoked = true;
        if self.client.has(Fault::IgnoresForget) {
            return;
        }
        for id in std::mem::take(&mut state.stored) {
            self.client.store.remove(&state.key, id);
        }
        if let Some(offered) = &self.offered {
            self.client.store.remove(&state.key, offered.id);
        }
    }

    fn close(mut self) -> Result<(), String> {
        self.stream
            .shutdown()
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn wire(&mut self) -> &mut Wire {
        self.stream.get_mut()
    }
}

impl fmt::Debug for FaultyConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyConnection").finish_non_exhaustive()
    }
}
