//! The connector of any backend, behind one trait.

use std::time::Duration;

use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Config, Error, Limits, Protocol, Resumption, ReuseTickets, Shareable, TierStats};

use crate::abort::Abort;
use crate::finding::SessionKind;
use crate::transport::Transport;
use crate::{Backend, Options};

/// How long to wait for tickets, beyond their time on the way: a server sends them right after the
/// handshake or never.
pub(crate) const TICKETS_TIMEOUT: Duration = Duration::from_millis(200);
/// How long to wait for a session from the tier. A service would wait less.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait until the tier has all sessions of memory.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// So few servers that one of them may fill a quarter of the store.
const BURST_SERVERS: usize = 16;

/// How long to wait for the tickets of a handshake that took this long.
///
/// Tickets arrive one round trip after the client's last message, and a handshake of TLS 1.3 takes
/// about one round trip.
pub(crate) fn tickets_timeout(handshake: Duration, timeout: Duration) -> Duration {
    (TICKETS_TIMEOUT + 2 * handshake).min(timeout)
}

/// A client that makes connections to one server.
pub(crate) trait Client: Sync {
    /// Fetches a session from the tier, if there is one, for the next connection.
    fn prefetch(&self);
    /// Makes a handshake, waits for tickets if `keep`, else forgets those that arrived, and closes.
    fn connect(&self, io: &mut Transport, keep: bool) -> Result<Handshake, ClientError>;
    /// Whether it offered nothing to the server because offers had failed, as the tier may tell.
    fn avoids(&self) -> bool;
    /// Removes all sessions.
    fn clear(&self);
    /// Writes all sessions to the tier; `None` without one.
    fn flush(&self) -> Option<TierReport>;
}

/// A successful handshake, as the client saw it.
pub(crate) struct Handshake {
    pub(crate) protocol: Protocol,
    pub(crate) offered: bool,
    pub(crate) resumed: bool,
    pub(crate) tickets: usize,
    pub(crate) session: Option<SessionKind>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) early_data_max: Option<u32>,
    pub(crate) group: Option<u16>,
    pub(crate) cipher: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Handshake {
    /// Whether a session was offered and the server made a full handshake.
    pub(crate) fn is_declined(&self) -> bool {
        self.offered && !self.resumed
    }
}

/// Why a client has no [`Handshake`] to report.
pub(crate) enum ClientError {
    /// The handshake failed.
    Handshake(Error),
    /// The client's handshake succeeded, and the server ended the connection before it sent a
    /// session.
    Aborted {
        /// How it ended the connection.
        abort: Abort,
        /// Whether a session was offered.
        offered: bool,
    },
}

/// What happened in the tier.
pub(crate) struct TierReport {
    /// Whether it has all sessions of memory.
    pub(crate) complete: bool,
    pub(crate) stats: TierStats,
}

/// Where a client stores sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Where the options say.
    Configured,
    /// In memory, for an experiment.
    Private,
}

/// Builds a client, and reads the files that the options name.
pub(crate) fn new(
    backend: Backend,
    options: &Options,
    storage: Storage,
) -> Result<Box<dyn Client>, Error> {
    match backend {
        Backend::Rustls => Ok(Box::new(MemoryClient(ToServer {
            connector: builder::<Rustls>(options)?.build()?,
            name: options.server_name().to_owned(),
            port: options.port(),
            timeout: options.timeout,
        }))),
        Backend::OpenSsl => shareable::<OpenSsl>(options, storage),
        Backend::RustlsPreview => shareable::<RustlsPreview>(options, storage),
    }
}

fn builder<B: tls_resume::Backend>(options: &Options) -> Result<ConnectorBuilder<B>, Error> {
    let mut credential = Config::default();
    credential.client_certificate.clone_from(&options.cert);
    credential.client_key.clone_from(&options.key);
    let mut builder = Connector::<B>::builder().config(&credential)?;
    if options.reuse_tickets {
        builder = builder.reuse_tickets(ReuseTickets::UntilRenewed);
    }
    if let Some(file) = &options.ca {
        builder = builder.roots_pem_file(file);
    }
    if let Some(version) = options.tls {
        builder = builder.protocols([version]);
    }
    if let Some(name) = &options.domain {
        builder = builder.domain(name);
    }
    if options.concurrency > 1 {
        // A burst must not end with a store that is too small.
        builder = builder.limits(
            Limits::default()
                .with_servers(BURST_SERVERS)
                .with_sessions_per_server(4 * options.concurrency)
                .with_bytes(48 << 10, 16 << 20, 64 << 20),
        );
    }
    Ok(builder)
}

fn shareable<B: Shareable>(options: &Options, storage: Storage) -> Result<Box<dyn Client>, Error> {
    let mut builder = builder::<B>(options)?;
    if storage == Storage::Configured {
        if let Some(url) = options.store.tier_url() {
            builder = builder.store(url).store_timeout(STORE_TIMEOUT);
        }
        if let Some(file) = &options.store_keys {
            builder = builder.store_keys(file);
        }
    }
    Ok(Box::new(ShareableClient(ToServer {
        connector: builder.build()?,
        name: options.server_name().to_owned(),
        port: options.port(),
        timeout: options.timeout,
    })))
}

/// A connector and its only server.
struct ToServer<B: tls_resume::Backend> {
    connector: Connector<B>,
    name: String,
    port: u16,
    timeout: Duration,
}

/// A client whose sessions stay in memory.
struct MemoryClient<B: tls_resume::Backend>(ToServer<B>);

impl<B: tls_resume::Backend> Client for MemoryClient<B> {
    fn prefetch(&self) {}

    fn connect(&self, io: &mut Transport, keep: bool) -> Result<Handshake, ClientError> {
        self.0.connect(io, keep)
    }

    fn avoids(&self) -> bool {
        self.0.connector.stats().avoided > 0
    }

    fn clear(&self) {
        self.0.connector.clear();
    }

    fn flush(&self) -> Option<TierReport> {
        None
    }
}

/// A client that may have a tier.
struct ShareableClient<B: Shareable>(ToServer<B>);

impl<B: Shareable> Client for ShareableClient<B> {
    fn prefetch(&self) {
        self.0.connector.prefetch(&self.0.name, self.0.port);
    }

    fn connect(&self, io: &mut Transport, keep: bool) -> Result<Handshake, ClientError> {
        self.0.connect(io, keep)
    }

    fn avoids(&self) -> bool {
        self.0.connector.stats().avoided > 0
    }

    fn clear(&self) {
        self.0.connector.clear();
    }

    fn flush(&self) -> Option<TierReport> {
        let connector = &self.0.connector;
        connector.tier_stats()?;
        Some(TierReport {
            complete: connector.flush(FLUSH_TIMEOUT),
            stats: connector.tier_stats()?,
        })
    }
}

impl<B: tls_resume::Backend> ToServer<B> {
    fn connect(&self, io: &mut Transport, keep: bool) -> Result<Handshake, ClientError> {
        let stream = self.connector.connect_stream(&self.name, self.port, io);
        let mut stream = stream.map_err(ClientError::Handshake)?;
        let duration = stream.get_ref().elapsed();
        if stream.get_ref().end_handshake().is_ok() && keep {
            let timeout = tickets_timeout(duration, self.timeout);
            // A server that sends tickets has accepted the client.
            if let Err(error) = stream.wait_for_tickets(timeout)
                && stream.tickets() == 0
                && let Some(abort) = Abort::from_error(&error)
            {
                let offered = stream.offered();
                return Err(ClientError::Aborted { abort, offered });
            }
        }
        if !keep {
            stream.forget();
        }
        let tickets = stream.tickets();
        let cleartext = stream.get_ref().cleartext();
        let resumed = stream.resumption() == Resumption::Resumed;
        let (session, lifetime_hint) = match (stream.protocol(), cleartext.ticket_lifetime_hint) {
            (Protocol::Tls12, Some(hint)) => (Some(SessionKind::Ticket), Some(hint)),
            // In a resumed handshake the session id only confirms the resumption.
            (Protocol::Tls12, None) => {
                let assigned = cleartext.has_session_id && !resumed;
                (assigned.then_some(SessionKind::SessionId), None)
            }
            _ => ((tickets > 0).then_some(SessionKind::Ticket), None),
        };
        let lifetime_hint = lifetime_hint.map(|seconds| Duration::from_secs(seconds.into()));
        let handshake = Handshake {
            protocol: stream.protocol(),
            offered: stream.offered(),
            resumed,
            tickets,
            session,
            lifetime: stream.lifetime().or(lifetime_hint),
            early_data_max: stream.max_early_data(),
            group: stream.group().map(u16::from),
            cipher: stream.cipher(),
            duration,
            bytes_in: stream.get_ref().bytes_in(),
            bytes_out: stream.get_ref().bytes_out(),
        };
        let _ = stream.close(); // fails if the server has already closed
        Ok(handshake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_handshakes_wait_longer_for_tickets() {
        let ms = Duration::from_millis;
        for (handshake, timeout, expected) in
            [(0, 10_000, 200), (300, 10_000, 800), (900, 1_000, 1_000)]
        {
            assert_eq!(tickets_timeout(ms(handshake), ms(timeout)), ms(expected));
        }
    }
}
