//! The finding about one connection.

use rustls::NamedGroup;
use serde::{Deserialize, Serialize};

use crate::client::Handshake;
use crate::connection_error::ConnectionError;
use crate::finding::SessionKind;
use crate::{Backend, Failure};

/// One connection: its handshake, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Its number among the connections of this backend, from 1.
    pub connection: usize,
    /// The TLS version; `None` for a failed handshake.
    pub protocol: Option<String>,
    /// Whether a session was offered to the server.
    pub offered: bool,
    /// Whether the server resumed it.
    pub resumed: bool,
    /// Number of sessions that the server issued.
    pub tickets: usize,
    /// Lifetime of these sessions according to the server. rustls 0.23 hides it in TLS 1.3.
    pub lifetime_s: Option<u64>,
    /// Bytes of early data that these sessions allow.
    pub early_data_max: Option<u32>,
    /// Key-exchange group.
    pub group: Option<String>,
    /// Cipher suite.
    pub cipher: Option<String>,
    /// Duration of the handshake from the first byte that the client sent: without connecting, and
    /// without waiting for the store. For connections made at the same time it includes the wait
    /// until all of them have begun.
    pub handshake_us: Option<u64>,
    /// Bytes received, tickets included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Why the connection failed, and what to do: one line.
    pub error: Option<String>,
    /// The address of the connection, or the one tried last.
    #[serde(default)]
    pub address: Option<String>,
    /// Why the connection failed, as a code.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// The kind of the sessions that the server issued.
    #[serde(default)]
    pub session: Option<SessionKind>,
    /// Number of sessions that this backend had received when the handshake began.
    #[serde(default)]
    pub sessions_before: usize,
}

/// The part of a row that is known before the handshake.
pub(crate) struct Attempt {
    pub(crate) backend: Backend,
    pub(crate) connection: usize,
    pub(crate) address: Option<String>,
    pub(crate) sessions_before: usize,
}

impl ConnectionRow {
    pub(crate) fn new(attempt: Attempt, handshake: Handshake) -> Self {
        Self {
            protocol: Some(handshake.protocol.to_string()),
            offered: handshake.offered,
            resumed: handshake.resumed,
            tickets: handshake.tickets,
            lifetime_s: handshake.lifetime.map(|lifetime| lifetime.as_secs()),
            early_data_max: handshake.early_data_max,
            group: handshake.group.map(group_name),
            cipher: handshake.cipher,
            handshake_us: Some(u64::try_from(handshake.duration.as_micros()).unwrap_or(u64::MAX)),
            bytes_in: handshake.bytes_in,
            bytes_out: handshake.bytes_out,
            session: handshake.session,
            ..Self::without_handshake(attempt)
        }
    }

    pub(crate) fn failed(attempt: Attempt, error: ConnectionError) -> Self {
        Self {
            offered: error.offered,
            bytes_in: error.bytes_in,
            bytes_out: error.bytes_out,
            error: Some(error.message),
            failure: Some(error.failure),
            ..Self::without_handshake(attempt)
        }
    }

    fn without_handshake(attempt: Attempt) -> Self {
        Self {
            backend: attempt.backend,
            connection: attempt.connection,
            protocol: None,
            offered: false,
            resumed: false,
            tickets: 0,
            lifetime_s: None,
            early_data_max: None,
            group: None,
            cipher: None,
            handshake_us: None,
            bytes_in: 0,
            bytes_out: 0,
            error: None,
            address: attempt.address,
            failure: None,
            session: None,
            sessions_before: attempt.sessions_before,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether a session was offered and the server made a full handshake.
    pub(crate) fn is_declined(&self) -> bool {
        self.offered && !self.resumed && !self.has_failed()
    }

    /// Whether the server did not answer in time.
    pub(crate) fn has_timed_out(&self) -> bool {
        matches!(self.failure, Some(Failure::NoAnswer | Failure::Silent))
    }
}

fn group_name(number: u16) -> String {
    let name = NamedGroup::from(number).as_str().map(str::to_owned);
    name.unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finding;

    #[test]
    fn json_has_a_type_and_every_field() {
        let attempt = Attempt {
            backend: Backend::OpenSsl,
            connection: 3,
            address: Some("192.0.2.1".to_owned()),
            sessions_before: 2,
        };
        let error = ConnectionError::new(Failure::Closed, "no");
        let finding = Finding::Connection(ConnectionRow::failed(attempt, error));
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["type"], "connection");
        assert_eq!(json["backend"], "openssl");
        assert_eq!(json["failure"], "closed");
        assert_eq!(json.as_object().unwrap().len(), 19);
        assert_eq!(serde_json::from_value::<Finding>(json).unwrap(), finding);
    }

    #[test]
    fn groups_have_names() {
        assert_eq!(group_name(0x001d), "X25519");
        assert_eq!(group_name(0xfefe), "65278");
    }
}
