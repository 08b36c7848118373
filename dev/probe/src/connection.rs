//! One connection, and what is to be said of it.

use rustls::NamedGroup;
use serde::{Deserialize, Serialize};

use crate::Backend;
use crate::client::Facts;
use crate::failure::{Failed, Failure};
use crate::finding::SessionKind;

/// What became of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Its number among the connections of this backend, from 1.
    pub connection: usize,
    /// The version of TLS; none of what follows is known of a handshake that failed.
    pub protocol: Option<String>,
    /// Whether a session was offered to the server.
    pub offered: bool,
    /// Whether it was resumed.
    pub resumed: bool,
    /// Sessions that the server gave.
    pub tickets: usize,
    /// How long they live by the server's word. rustls 0.23 keeps it to itself, in TLS 1.3.
    pub lifetime_s: Option<u64>,
    /// Bytes of early data that they allow.
    pub early_data_max: Option<u32>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// How long the handshake took from the first byte that the client sent: without connecting,
    /// and without waiting for the store. Among connections at the same time it has in it the wait
    /// until all of them have begun.
    pub handshake_us: Option<u64>,
    /// Bytes received, tickets included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Why the handshake failed.
    pub error: Option<String>,
    /// The address that was connected to, or tried last.
    #[serde(default)]
    pub address: Option<String>,
    /// Why the handshake failed, in a word.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// What the sessions are that the server gave.
    #[serde(default)]
    pub session: Option<SessionKind>,
    /// How many sessions this backend had got when this handshake began.
    #[serde(default)]
    pub sessions_before: usize,
}

/// Which connection it is, whatever becomes of it.
pub(crate) struct Which {
    pub(crate) backend: Backend,
    pub(crate) connection: usize,
    pub(crate) address: Option<String>,
    pub(crate) sessions_before: usize,
}

impl ConnectionRow {
    pub(crate) fn new(which: Which, facts: Facts) -> Self {
        Self {
            protocol: Some(facts.protocol.to_string()),
            offered: facts.offered,
            resumed: facts.resumed,
            tickets: facts.tickets,
            lifetime_s: facts.lifetime.map(|lifetime| lifetime.as_secs()),
            early_data_max: facts.early_data_max,
            group: facts.group.map(group_name),
            cipher: facts.cipher,
            handshake_us: Some(u64::try_from(facts.handshake.as_micros()).unwrap_or(u64::MAX)),
            bytes_in: facts.bytes_in,
            bytes_out: facts.bytes_out,
            session: facts.session,
            ..Self::nothing(which)
        }
    }

    pub(crate) fn failed(which: Which, failed: Failed) -> Self {
        Self {
            error: Some(failed.why),
            failure: Some(failed.failure),
            ..Self::nothing(which)
        }
    }

    fn nothing(which: Which) -> Self {
        Self {
            backend: which.backend,
            connection: which.connection,
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
            address: which.address,
            failure: None,
            session: None,
            sessions_before: which.sessions_before,
        }
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
    fn a_row_says_what_it_is_and_has_every_field() {
        let which = Which {
            backend: Backend::OpenSsl,
            connection: 3,
            address: Some("192.0.2.1".to_owned()),
            sessions_before: 2,
        };
        let row = ConnectionRow::failed(which, Failed::new(Failure::Closed, "no"));
        let finding = Finding::Connection(row);
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
