//! The facade on either backend, as one type.

use std::time::{Duration, Instant};

use lab::server::{Library, Protocol};
use rustls::crypto::aws_lc_rs::default_provider;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::{Backend, Error, Resumption};

use super::counted::Counted;
use crate::cli::ProbeOptions;

/// How long to wait for a server's tickets: they come right behind the handshake or never.
const TICKETS_WAIT: Duration = Duration::from_millis(200);

/// A connector that makes connections and tells about them.
pub(super) trait Client: Sync {
    /// Makes the handshake, waits for tickets and closes.
    fn connect(&self, name: &str, port: u16, io: Counted) -> Result<Facts, Error>;
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

/// Builds a connector, which reads the files that the options name.
pub(super) fn client(backend: Library, options: &ProbeOptions) -> Result<Box<dyn Client>, Error> {
    match backend {
        Library::Rustls => {
            warm_up();
            connector::<Rustls>(options)
        }
        Library::OpenSsl => connector::<OpenSsl>(options),
    }
}

fn connector<B: Backend>(options: &ProbeOptions) -> Result<Box<dyn Client>, Error> {
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
    Ok(Box::new(builder.build()?))
}

/// Seeds aws-lc's random numbers, which takes some 40 ms, once in a process: in the first handshake
/// it would look like the server's fault. A failure would come back there.
fn warm_up() {
    let provider = default_provider();
    let _ = provider.secure_random.fill(&mut [0; 32]);
}

impl<B: Backend> Client for Connector<B> {
    fn connect(&self, name: &str, port: u16, io: Counted) -> Result<Facts, Error> {
        let started = Instant::now();
        let mut stream = self.connect_stream(name, port, io)?;
        let handshake = started.elapsed();

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
}
