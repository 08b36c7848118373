//! The stores that are measured, each with its client.

use std::any::Any;
use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

use backend_openssl::PeerCertificate;
use clap::ValueEnum;
use lab::server::Protocol;
use pki_types::{CertificateDer, ServerName};
use rustls::client::{ClientSessionMemoryCache, Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use store_core::{Limits, Stats};
use tls_resume::{Backend, generic, rustls as tls_rustls, rustls_preview};

use super::crowd::Waiting;
use super::openssl::OpenSslClient;

/// A store and whose sessions it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Holder {
    /// rustls's own memory cache: the reference
    RustlsMemory,
    /// Ours, with sessions of rustls 0.23
    Opaque,
    /// Ours, with sessions of the next rustls
    Preview,
    /// Ours, with sessions of OpenSSL that keep the peer's certificate
    OpensslKeep,
    /// Ours, with sessions of OpenSSL that do not
    OpensslStrip,
}

/// What fits into a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) servers: usize,
    pub(super) sessions_per_server: usize,
}

/// The most that a session weighs with anyone: no store here should be full of bytes.
const SESSION_BYTES: usize = 48 * 1024;
/// Tickets that rustls's cache holds of each server.
const RUSTLS_TICKETS: usize = 8;
/// What rustls sets by itself.
const RUSTLS_DEFAULT: usize = 256;
pub(super) const PORT: u16 = 443;

impl Size {
    /// Limits that hold all of it. Servers are spread over shards by chance: with a quarter more of
    /// them, none is pushed out of a shard that got more than others.
    fn limits(self) -> Limits {
        let servers = self.servers + self.servers / 4;
        let server_bytes = SESSION_BYTES * (self.sessions_per_server + 1);
        Limits::default()
            .with_servers(servers)
            .with_sessions_per_server(self.sessions_per_server)
            .with_bytes(SESSION_BYTES, server_bytes, servers * server_bytes)
    }

    fn rustls_size(self) -> usize {
        self.servers * RUSTLS_TICKETS
    }
}

impl Holder {
    /// All of them, the reference first.
    pub const ALL: [Self; 5] = [
        Self::RustlsMemory,
        Self::Opaque,
        Self::Preview,
        Self::OpensslKeep,
        Self::OpensslStrip,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RustlsMemory => "rustls-memory",
            Self::Opaque => "opaque",
            Self::Preview => "preview",
            Self::OpensslKeep => "openssl-keep",
            Self::OpensslStrip => "openssl-strip",
        }
    }

    /// The store.
    pub fn store(self) -> &'static str {
        match self {
            Self::RustlsMemory => "rustls-memory",
            _ => "tls-resume",
        }
    }

    /// Whose sessions it holds.
    pub fn session(self) -> &'static str {
        match self {
            Self::RustlsMemory => Self::Opaque.as_str(),
            _ => self.as_str(),
        }
    }

    /// The store alone, to be weighed; with the library's own settings if there is no size given.
    pub(super) fn empty(self, size: Option<Size>) -> Result<Box<dyn Any>, Box<dyn Error>> {
        let limits = size.map_or_else(Limits::default, Size::limits);
        let tickets = size.map_or(RUSTLS_DEFAULT, Size::rustls_size);
        Ok(match self {
            Self::RustlsMemory => Box::new(ClientSessionMemoryCache::new(tickets)),
            Self::Opaque => Box::new(backend_rustls::Sessions::new(limits)?),
            Self::Preview => Box::new(backend_rustls::preview::Sessions::new(limits)?),
            Self::OpensslKeep | Self::OpensslStrip => {
                Box::new(backend_openssl::Sessions::new(limits)?)
            }
        })
    }

    /// A client with an empty store of this size.
    pub(super) fn client(
        self,
        size: Size,
        protocol: Protocol,
        root: &CertificateDer<'static>,
    ) -> Result<Box<dyn Client>, Box<dyn Error>> {
        Ok(match self {
            Self::RustlsMemory => Box::new(RustlsMemory::new(size, protocol, root)?),
            Self::Opaque => Box::new(connector::<tls_rustls::Rustls>(size, protocol, root)?),
            Self::Preview => Box::new(connector::<rustls_preview::RustlsPreview>(
                size, protocol, root,
            )?),
            Self::OpensslKeep => openssl(size, PeerCertificate::Keep, protocol, root)?,
            Self::OpensslStrip => openssl(size, PeerCertificate::Strip, protocol, root)?,
        })
    }
}

/// A client over a store.
pub(super) trait Client {
    /// Makes a handshake, takes in the tickets, and closes the connection. Whether it was resumed.
    fn connect(&self, host: &str, io: &mut Waiting<'_>) -> Result<bool, Box<dyn Error>>;
    /// What the store says of itself, if it says anything.
    fn stats(&self) -> Option<Stats>;
}

fn openssl(
    size: Size,
    peer_certificate: PeerCertificate,
    protocol: Protocol,
    root: &CertificateDer<'static>,
) -> Result<Box<dyn Client>, Box<dyn Error>> {
    let sessions = backend_openssl::Sessions::new(size.limits())?;
    let sessions = sessions.with_peer_certificate(peer_certificate);
    Ok(Box::new(OpenSslClient::new(&sessions, protocol, root)?))
}

fn connector<B: Backend>(
    size: Size,
    protocol: Protocol,
    root: &CertificateDer<'static>,
) -> Result<generic::Connector<B>, tls_resume::Error> {
    generic::Connector::builder()
        .roots([root.clone()])
        .protocols([protocol])
        .limits(size.limits())
        .build()
}

impl<B: Backend> Client for generic::Connector<B> {
    fn connect(&self, host: &str, io: &mut Waiting<'_>) -> Result<bool, Box<dyn Error>> {
        let mut stream = self.connect_stream(host, PORT, io)?;
        take_in(&mut stream)?;
        stream.close()?;
        Ok(stream.resumption() == tls_resume::Resumption::Resumed)
    }

    fn stats(&self) -> Option<Stats> {
        Some(Self::stats(self))
    }
}

/// Reads what follows the handshake: there is no data, only tickets.
fn take_in(stream: &mut impl Read) -> Result<(), Box<dyn Error>> {
    match stream.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the server sent data that nobody asked for".into()),
    }
}

/// rustls with its own cache.
struct RustlsMemory(Arc<ClientConfig>);

impl RustlsMemory {
    fn new(
        size: Size,
        protocol: Protocol,
        root: &CertificateDer<'static>,
    ) -> Result<Self, Box<dyn Error>> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.clone())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
        let version = match protocol {
            Protocol::Tls12 => &version::TLS12,
            Protocol::Tls13 => &version::TLS13,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        let cache = ClientSessionMemoryCache::new(size.rustls_size());
        config.resumption = Resumption::store(Arc::new(cache));
        Ok(Self(config.into()))
    }
}

impl Client for RustlsMemory {
    fn connect(&self, host: &str, io: &mut Waiting<'_>) -> Result<bool, Box<dyn Error>> {
        let name = ServerName::try_from(host)?.to_owned();
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name)?;
        take_in(&mut rustls::Stream::new(&mut tls, io))?;
        tls.send_close_notify();
        tls.write_tls(io)?;
        io.flush()?;
        Ok(tls.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    fn stats(&self) -> Option<Stats> {
        None
    }
}
