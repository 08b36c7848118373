//! Plain clients on both libraries, which store their sessions and offer the newest one.

mod openssl_client;
mod rustls_client;

use std::io::{Read, Write};

use lab::certificate::{Authority, Identity};
use lab::server::{Library, Protocol};

/// The server's name.
pub(crate) const NAME: &str = "server.lab.example";

/// A connection, as the client reports it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) protocol: Protocol,
    pub(crate) resumed: bool,
    /// How many sessions the client received.
    pub(crate) sessions: usize,
    /// The announced lifetime of the last one in seconds, if the library reports it.
    pub(crate) lifetime: Option<u64>,
}

pub(crate) struct ClientSettings {
    pub(crate) root: Vec<u8>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) identity: Option<Identity>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) early_data: bool,
}

impl ClientSettings {
    pub(crate) fn new(authority: &Authority, protocols: &[Protocol]) -> Self {
        Self {
            root: authority.root_der().to_vec(),
            protocols: protocols.to_vec(),
            identity: None,
            alpn: Vec::new(),
            early_data: false,
        }
    }
}

pub(crate) trait Transport: Read + Write {}
impl<T: Read + Write> Transport for T {}

pub(crate) trait Client {
    /// Connects, sends a request, reads its echo, and closes.
    fn exchange(&self, transport: &mut dyn Transport) -> Result<Exchange, String>;
}

pub(crate) fn client(library: Library, settings: &ClientSettings) -> Box<dyn Client> {
    match library {
        Library::Rustls => Box::new(rustls_client::RustlsClient::new(settings)),
        Library::OpenSsl => Box::new(openssl_client::OpenSslClient::new(settings)),
    }
}
