//! Plain clients on both libraries: they keep what they get and offer the newest of it.

mod openssl_client;
mod rustls_client;

use std::io::{Read, Write};

use lab::certificate::{Authority, Identity};
use lab::server::{Library, Protocol};

/// The name that every client asks for.
pub(crate) const NAME: &str = "server.lab.example";

/// What one connection came to, seen by the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) protocol: Protocol,
    pub(crate) resumed: bool,
    /// Sessions that arrived during this connection.
    pub(crate) sessions: usize,
    /// Their announced lifetime in seconds, where the library tells.
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
    /// Connects, sends a request, reads its echo and closes.
    fn exchange(&self, transport: &mut dyn Transport) -> Result<Exchange, String>;
}

pub(crate) fn client(library: Library, settings: &ClientSettings) -> Box<dyn Client> {
    match library {
        Library::Rustls => Box::new(rustls_client::RustlsClient::new(settings)),
        Library::OpenSsl => Box::new(openssl_client::OpenSslClient::new(settings)),
    }
}
