//! The facade on any backend, as one type.

use std::time::Duration;

use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Error, Limits, Resumption, Shareable, TierStats};

use crate::counted::Counted;
use crate::finding::SessionKind;
use crate::refusal::Refusal;
use crate::{Backend, Options};

/// How long to wait for a server's tickets beside the time that they are on their way: they come
/// right behind the handshake or never.
pub(crate) const TICKETS_WAIT: Duration = Duration::from_millis(200);
/// How long to wait for a session from the store. A service would not: a probe wants to know.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// How long to wait until the store has what memory holds.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// Few enough that one of them may have a quarter of the bytes.
const BURST_SERVERS: usize = 16;

/// How long to wait for the tickets of a connection whose handshake took this long.
///
/// They come a round trip behind the client's last word, and a handshake of TLS 1.3 is about one
/// round trip.
pub(crate) fn tickets_wait(handshake: Duration, timeout: Duration) -> Duration {
    (TICKETS_WAIT + 2 * handshake).min(timeout)
}

/// Why there is nothing to tell about a connection.
pub(crate) enum Broken {
    /// There was no handshake.
    Handshake(Error),
    /// There was one, and then the server refused the client, before it gave a session.
    Refused(Refusal),
}

/// Makes connections to one server and tells about them.
pub(crate) trait Client: Sync {
    /// Has a session fetched for a connection that is about to be made, if the store is beyond
    /// memory, and waits for it.
    fn prefetch(&self);
    /// Makes the handshake and closes; before that it waits for tickets, or, if they are not to be
    /// kept, forgets what came.
    fn connect(&self, io: &mut Counted, keep: bool) -> Result<Facts, Broken>;
    /// Drops all sessions.
    fn clear(&self);
    /// Leaves its sessions to the next process; nothing if they are in memory alone.
    fn hand_over(&self) -> Option<HandedOver>;
}

/// What a connector knows of a connection.
pub(crate) struct Facts {
    pub(crate) protocol: tls_resume::Protocol,
    pub(crate) offered: bool,
    pub(crate) resumed: bool,
    pub(crate) tickets: usize,
    pub(crate) session: Option<SessionKind>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) early_data_max: Option<u32>,
    pub(crate) group: Option<u16>,
    pub(crate) cipher: Option<String>,
    pub(crate) handshake: Duration,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// What became of the store beyond memory.
pub(crate) struct HandedOver {
    /// Whether it has all sessions now.
    pub(crate) complete: bool,
    /// What it did in all.
    pub(crate) stats: TierStats,
}

/// Where a client keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// Where the options say.
    AsAsked,
    /// In memory, shared with nobody: for an experiment.
    Alone,
}

/// Builds a connector, which reads the files that the options name.
pub(crate) fn client(
    backend: Backend,
    options: &Options,
    keeps: Keeps,
) -> Result<Box<dyn Client>, Error> {
    match backend {
        Backend::Rustls => Ok(Box::new(Alone(ToServer {
            connector: builder::<Rustls>(options).build()?,
            name: options.name().to_owned(),
            port: options.port(),
            timeout: options.timeout,
        }))),
        Backend::OpenSsl => sharing::<OpenSsl>(options, keeps),
        Backend::RustlsPreview => sharing::<RustlsPreview>(options, keeps),
    }
}

fn builder<B: tls_resume::Backend>(options: &Options) -> ConnectorBuilder<B> {
    let mut builder = Connector::<B>::builder();
    if let Some(file) = &options.ca {
        builder = builder.roots_pem_file(file);
    }
    if let Some(version) = options.tls {
        builder = builder.protocols([version.into()]);
    }
    if let Some(name) = &options.domain {
        builder = builder.domain(name);
    }
    if options.concurrency > 1 {
        // The store must not be what a burst fails on.
        builder = builder.limits(
            Limits::default()
                .with_servers(BURST_SERVERS)
                .with_sessions_per_server(4 * options.concurrency)
                .with_bytes(48 << 10, 16 << 20, 64 << 20),
        );
    }
    builder
}

fn sharing<B: Shareable>(options: &Options, keeps: Keeps) -> Result<Box<dyn Client>, Error> {
    let mut builder = builder::<B>(options);
    if keeps == Keeps::AsAsked {
        if let Some(address) = options.store.beyond() {
            builder = builder.store(address).store_timeout(STORE_WAIT);
        }
        if let Some(file) = &options.store_keys {
            builder = builder.store_keys(file);
        }
    }
    Ok(Box::new(Sharing(ToServer {
        connector: builder.build()?,
        name: options.name().to_owned(),
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

/// One whose sessions stay in its memory.
struct Alone<B: tls_resume::Backend>(ToServer<B>);

impl<B: tls_resume::Backend> Client for Alone<B> {
    fn prefetch(&self) {}

    fn connect(&self, io: &mut Counted, keep: bool) -> Result<Facts, Broken> {
        self.0.connect(io, keep)
    }

    fn clear(&self) {
        self.0.connector.clear();
    }

    fn hand_over(&self) -> Option<HandedOver> {
        None
    }
}

/// One whose sessions may be kept beyond its memory.
struct Sharing<B: Shareable>(ToServer<B>);

impl<B: Shareable> Client for Sharing<B> {
    fn prefetch(&self) {
        self.0.connector.prefetch(&self.0.name, self.0.port);
    }

    fn connect(&self, io: &mut Counted, keep: bool) -> Result<Facts, Broken> {
        self.0.connect(io, keep)
    }

    fn clear(&self) {
        self.0.connector.clear();
    }

    fn hand_over(&self) -> Option<HandedOver> {
        let connector = &self.0.connector;
        connector.tier_stats()?;
        Some(HandedOver {
            complete: connector.flush(FLUSH_WAIT),
            stats: connector.tier_stats()?,
        })
    }
}

impl<B: tls_resume::Backend> ToServer<B> {
    fn connect(&self, io: &mut Counted, keep: bool) -> Result<Facts, Broken> {
        let stream = self.connector.connect_stream(&self.name, self.port, io);
        let mut stream = stream.map_err(Broken::Handshake)?;
        let handshake = stream.get_ref().since_first_byte();
        if stream.get_ref().lift().is_ok() && keep {
            let wait = tickets_wait(handshake, self.timeout);
            // A connection that breaks after tickets has had its handshake on both sides.
            if let Err(error) = stream.wait_for_tickets(wait)
                && stream.tickets() == 0
                && let Some(refusal) = Refusal::of(&error)
            {
                return Err(Broken::Refused(refusal));
            }
        }
        if !keep {
            stream.forget();
        }
        let tickets = stream.tickets();
        let heard = stream.get_ref().heard();
        let resumed = stream.resumption() == Resumption::Resumed;
        let (session, hint) = match (stream.protocol(), heard.ticket) {
            (tls_resume::Protocol::Tls12, Some(hint)) => (Some(SessionKind::Ticket), Some(hint)),
            // The id of a resumed handshake only says that it is resumed.
            (tls_resume::Protocol::Tls12, None) => {
                let given = heard.session_id && !resumed;
                (given.then_some(SessionKind::SessionId), None)
            }
            _ => ((tickets > 0).then_some(SessionKind::Ticket), None),
        };
        let hint = hint.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let facts = Facts {
            protocol: stream.protocol(),
            offered: stream.offered(),
            resumed,
            tickets,
            session,
            lifetime: stream.lifetime().or(hint),
            early_data_max: stream.max_early_data(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_waited_for_as_long_as_they_take() {
        let ms = Duration::from_millis;
        for (handshake, timeout, wait) in
            [(0, 10_000, 200), (300, 10_000, 800), (900, 1_000, 1_000)]
        {
            assert_eq!(tickets_wait(ms(handshake), ms(timeout)), ms(wait));
        }
    }
}
