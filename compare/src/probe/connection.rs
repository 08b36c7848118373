//! One connection, and what is to be said of it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::NamedGroup;
use serde::{Deserialize, Serialize};
use tls_resume::ErrorKind;

use super::Target;
use super::client::{Client, Facts};
use super::counted::Counted;
use crate::backend::Backend;

/// What became of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "connection")]
pub struct ConnectionRow {
    /// The backend that connected.
    pub backend: String,
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
    /// How long they live by the server's word. rustls 0.23 keeps it to itself.
    pub lifetime_s: Option<u64>,
    /// Bytes of early data that they allow.
    pub early_data_max: Option<u32>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// How long the handshake took from the first byte that the client sent: without connecting,
    /// and without waiting for the store.
    pub handshake_us: Option<u64>,
    /// Bytes received, tickets included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Why the handshake failed.
    pub error: Option<String>,
}

impl ConnectionRow {
    fn new(backend: Backend, connection: usize, facts: Facts) -> Self {
        Self {
            backend: backend.to_string(),
            connection,
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
            error: None,
        }
    }

    fn failed(backend: Backend, connection: usize, error: String) -> Self {
        Self {
            backend: backend.to_string(),
            connection,
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
            error: Some(error),
        }
    }
}

/// Everything that is the same for all connections.
pub(super) struct Attempt<'a> {
    pub(super) target: &'a Target,
    /// The name that is asked for and verified.
    pub(super) name: &'a str,
    /// Or why there are none, which is then every connection's error.
    pub(super) addresses: &'a Result<Vec<SocketAddr>, String>,
    pub(super) timeout: Duration,
}

impl Attempt<'_> {
    /// Has a session fetched, connects, makes the handshake, waits for tickets and closes.
    pub(super) fn make(
        &self,
        client: &dyn Client,
        backend: Backend,
        connection: usize,
    ) -> ConnectionRow {
        if self.addresses.is_ok() {
            client.prefetch(self.name, self.target.port);
        }
        let facts = self.reach().and_then(|io| {
            client
                .connect(self.name, self.target.port, io)
                .map_err(|error| self.explain(&error))
        });
        match facts {
            Ok(facts) => ConnectionRow::new(backend, connection, facts),
            Err(error) => ConnectionRow::failed(backend, connection, one_line(&error)),
        }
    }

    /// Connects to the first address that answers.
    fn reach(&self) -> Result<Counted, String> {
        let mut reason = String::new();
        for address in self.addresses.as_ref().map_err(Clone::clone)? {
            let connected = TcpStream::connect_timeout(address, self.timeout)
                .and_then(|tcp| Counted::new(tcp, self.timeout));
            match connected {
                Ok(io) => return Ok(io),
                Err(error) => reason = self.explain_unreachable(*address, &error),
            }
        }
        Err(reason)
    }

    fn explain_unreachable(&self, address: SocketAddr, error: &io::Error) -> String {
        let seconds = self.timeout.as_secs();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("{address} refuses connections: is a server running on that port?")
            }
            io::ErrorKind::TimedOut => {
                format!("{address} does not answer within {seconds} s: try a longer --timeout")
            }
            _ => format!("cannot connect to {address}: {error}"),
        }
    }

    fn explain(&self, error: &tls_resume::Error) -> String {
        match error.kind() {
            ErrorKind::Timeout => format!(
                "{} does not finish the handshake within {} s: try a longer --timeout",
                self.target,
                self.timeout.as_secs()
            ),
            ErrorKind::Certificate => {
                format!("{error}; --ca trusts another root, --sni verifies another name")
            }
            _ => error.to_string(),
        }
    }
}

fn group_name(number: u16) -> String {
    let name = NamedGroup::from(number).as_str().map(str::to_owned);
    name.unwrap_or_else(|| number.to_string())
}

/// Text from afar must not break the output into more lines than there are connections.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_it_is_and_has_every_field() {
        let row = ConnectionRow::failed(Backend::OpenSsl, 3, "no".to_owned());
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["type"], "connection");
        assert_eq!(json["backend"], "openssl");
        assert_eq!(json.as_object().unwrap().len(), 15);
        assert_eq!(serde_json::from_value::<ConnectionRow>(json).unwrap(), row);
    }

    #[test]
    fn groups_have_names() {
        assert_eq!(group_name(0x001d), "X25519");
        assert_eq!(group_name(0xfefe), "65278");
    }
}
