//! The stores that are measured, each with its client.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use backend_openssl::PeerCertificate;
use clap::ValueEnum;
use lab::server::Protocol;
use pki_types::CertificateDer;
use rustls::client::ClientSessionMemoryCache;
use store_core::Limits;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;

use super::client::Client;
use super::openssl::OpenSslClient;
use super::rustls::{RustlsClient, connector};

/// A store, and the kind of session that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// rustls's own memory cache: the reference
    RustlsMemory,
    /// Our store with sessions of rustls 0.23
    Opaque,
    /// Our store with sessions of the next rustls
    Preview,
    /// Our store with OpenSSL's sessions, peer's certificate included
    OpensslKeep,
    /// Our store with OpenSSL's sessions, peer's certificate cut out
    OpensslStrip,
}

/// What a store has to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub(super) servers: usize,
    pub(super) sessions_per_server: usize,
}

/// More than any session weighs: the limits in bytes are never reached.
const SESSION_BYTES: usize = 48 * 1024;
/// Tickets that rustls's cache holds of each server.
const RUSTLS_TICKETS: usize = 8;
/// The default capacity of rustls's cache.
const RUSTLS_DEFAULT: usize = 256;

impl Capacity {
    /// Limits that hold everything. The spread of servers over shards is uneven: with a quarter more
    /// servers, no shard evicts any.
    fn limits(self) -> Limits {
        let servers = self.servers + self.servers / 4;
        let server_bytes = SESSION_BYTES * (self.sessions_per_server + 1);
        Limits::default()
            .with_servers(servers)
            .with_sessions_per_server(self.sessions_per_server)
            .with_bytes(SESSION_BYTES, server_bytes, servers * server_bytes)
    }

    fn rustls_cache(self) -> ClientSessionMemoryCache {
        ClientSessionMemoryCache::new(self.servers * RUSTLS_TICKETS)
    }
}

impl Subject {
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

    /// The store's name in the report.
    pub fn store(self) -> &'static str {
        match self {
            Self::RustlsMemory => "rustls-memory",
            _ => "tls-resume",
        }
    }

    /// The kind of session, as the report names it.
    pub fn session(self) -> &'static str {
        match self {
            Self::RustlsMemory => Self::Opaque.as_str(),
            _ => self.as_str(),
        }
    }

    /// An empty store; with the library's default capacity if none is given.
    pub(super) fn empty_store(
        self,
        capacity: Option<Capacity>,
    ) -> Result<Box<dyn Any>, Box<dyn Error>> {
        let limits = capacity.map_or_else(Limits::default, Capacity::limits);
        Ok(match self {
            Self::RustlsMemory => Box::new(capacity.map_or_else(
                || ClientSessionMemoryCache::new(RUSTLS_DEFAULT),
                Capacity::rustls_cache,
            )),
            Self::Opaque => Box::new(backend_rustls::Sessions::new(limits)?),
            Self::Preview => Box::new(backend_rustls::preview::Sessions::new(limits)?),
            Self::OpensslKeep | Self::OpensslStrip => {
                Box::new(backend_openssl::Sessions::new(limits)?)
            }
        })
    }

    /// A client with an empty store.
    pub(super) fn client(
        self,
        capacity: Capacity,
        protocol: Protocol,
        root: &CertificateDer<'static>,
    ) -> Result<Box<dyn Client>, Box<dyn Error>> {
        let openssl = |peer_certificate| -> Result<OpenSslClient, Box<dyn Error>> {
            let sessions = backend_openssl::Sessions::new(capacity.limits())?;
            let sessions = sessions.with_peer_certificate(peer_certificate);
            OpenSslClient::new(&sessions, protocol, root)
        };
        Ok(match self {
            Self::RustlsMemory => {
                let cache = Arc::new(capacity.rustls_cache());
                Box::new(RustlsClient::new(cache, protocol, root)?)
            }
            Self::Opaque => Box::new(connector::<Rustls>(capacity.limits(), protocol, root)?),
            Self::Preview => Box::new(connector::<RustlsPreview>(
                capacity.limits(),
                protocol,
                root,
            )?),
            Self::OpensslKeep => Box::new(openssl(PeerCertificate::Keep)?),
            Self::OpensslStrip => Box::new(openssl(PeerCertificate::Strip)?),
        })
    }
}
