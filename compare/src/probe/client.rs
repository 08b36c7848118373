//! The facade on any backend, as one type.

use std::time::Duration;

use lab::server::Protocol;
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Error, Resumption, Shareable, TierStats};

use super::counted::Counted;
use crate::backend::Backend;
use crate::cli::ProbeOptions;

/// How long to wait for a server's tickets: they come right behind the handshake or never.
const TICKETS_WAIT: Duration = Duration::from_millis(200);
/// How long to wait for a session from the store. A service would not: a probe wants to know.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// How long to wait until the store has what memory holds.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// A connector that makes connections and tells about them.
pub(super) trait Client: Sync {
    /// Has a session fetched for a connection that is about to be made, if the store is beyond
    /// memory, and waits for it.
    fn prefetch(&self, name: &str, port: u16);
    /// Makes the handshake, waits for tickets and closes.
    fn connect(&self, name: &str, port: u16, io: Counted) -> Result<Facts, Error>;
    /// Leaves its sessions to the next process; nothing if they are in memory alone.
    fn hand_over(&self) -> Option<HandedOver>;
}

/// What a connector knows of a connection.
pub(super) struct Facts {
    pub(super) protocol: tls_resume::Protocol,
    pub(super) offered: bool,
    pub(super) resumed: bool,
    pub(super) tickets: usize,
    pub(super) lifetime: Option<Duration>,
    pub(super) early_data_max: Option<u32>,
    pub(super) group: Option<u16>,
    pub(super) cipher: Option<String>,
    pub(super) handshake: Duration,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// What became of the store beyond memory.
pub(super) struct HandedOver {
    /// Whether it has all sessions now.
    pub(super) complete: bool,
    /// What it did in all.
    pub(super) stats: TierStats,
}

/// Builds a connector, which reads the files that the options name.
pub(super) fn client(backend: Backend, options: &ProbeOptions) -> Result<Box<dyn Client>, Error> {
    match backend {
        Backend::Rustls => Ok(Box::new(Alone(builder::<Rustls>(options).build()?))),
        Backend::OpenSsl => sharing::<OpenSsl>(options),
        Backend::RustlsPreview => sharing::<RustlsPreview>(options),
    }
}

fn builder<B: tls_resume::Backend>(options: &ProbeOptions) -> ConnectorBuilder<B> {
    let mut builder = Connector::<B>::builder();
    if let Some(file) = &options.ca {
        builder = builder.roots_pem_file(file);
    }
    if let Some(version) = options.tls {
        builder = builder.protocols([match version.into() {
            Protocol::Tls12 => tls_resume::Protocol::Tls12,
            Protocol::Tls13 => tls_resume::Protocol::Tls13,
        }]);
    }
    if let Some(name) = &options.domain {
        builder = builder.domain(name);
    }
    builder
}

fn sharing<B: Shareable>(options: &ProbeOptions) -> Result<Box<dyn Client>, Error> {
    let mut builder = builder::<B>(options);
    if let Some(address) = options.store.beyond() {
        builder = builder.store(address).store_wait(STORE_WAIT);
    }
    if let Some(file) = &options.store_keys {
        builder = builder.store_keys(file);
    }
    Ok(Box::new(Sharing(builder.build()?)))
}

/// A connector whose sessions stay in its memory.
struct Alone<B: tls_resume::Backend>(Connector<B>);

impl<B: tls_resume::Backend> Client for Alone<B> {
    fn prefetch(&self, _: &str, _: u16) {}

    fn connect(&self, name: &str, port: u16, io: Counted) -> Result<Facts, Error> {
        connect(&self.0, name, port, io)
    }

    fn hand_over(&self) -> Option<HandedOver> {
        None
    }
}

/// A connector whose sessions may be kept beyond its memory.
struct Sharing<B: Shareable>(Connector<B>);

impl<B: Shareable> Client for Sharing<B> {
    fn prefetch(&self, name: &str, port: u16) {
        self.0.prefetch(name, port);
    }

    fn connect(&self, name: &str, port: u16, io: Counted) -> Result<Facts, Error> {
        connect(&self.0, name, port, io)
    }

    fn hand_over(&self) -> Option<HandedOver> {
        self.0.tier_stats()?;
        Some(HandedOver {
            complete: self.0.flush(FLUSH_WAIT),
            stats: self.0.tier_stats()?,
        })
    }
}

fn connect<B: tls_resume::Backend>(
    connector: &Connector<B>,
    name: &str,
    port: u16,
    io: Counted,
) -> Result<Facts, Error> {
    let mut stream = connector.connect_stream(name, port, io)?;
    let handshake = stream.get_ref().since_first_byte();

    // A connection that breaks now has had its handshake; its tickets are what came.
    if stream.get_ref().lift().is_ok() {
        let _ = stream.wait_for_tickets(TICKETS_WAIT);
    }
    let facts = Facts {
        protocol: stream.protocol(),
        offered: stream.offered(),
        resumed: stream.resumption() == Resumption::Resumed,
        tickets: stream.tickets(),
        lifetime: stream.lifetime(),
        early_data_max: stream.early_data_max(),
        group: stream.group(),
        cipher: stream.cipher(),
        handshake,
        bytes_in: stream.get_ref().bytes_in(),
        bytes_out: stream.get_ref().bytes_out(),
    };
    let _ = stream.close(); // a server that has gone away needs no farewell
    Ok(facts)
}
