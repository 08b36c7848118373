//! An adapter for ureq 3.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::{rustls::Connector, ureq};
//!
//! let connector = Connector::builder().build()?;
//! let agent = ureq::agent(&connector);
//! let answer = agent.get("https://example.com/").call()?.body_mut().read_to_string()?;
//! println!("{} bytes, {:?}", answer.len(), connector.stats());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "rustls"))]
//! # fn main() {}
//! ```
//!
//! ureq's own TLS settings have no effect: roots, client certificate and versions are the connector's.
//! ureq speaks HTTP/1.1, so do not offer `h2` by [ALPN](crate::generic::ConnectorBuilder::alpn): if a
//! server chooses it, the request fails.
//!
//! Proxies work, in the settings or in the environment: CONNECT and SOCKS, and CONNECT over TLS. TLS with the
//! proxy itself is made by the same connector; its sessions are stored under the proxy's host and port.
//!
//! A handshake that fails with a session offered is made again without one, on a new connection, in
//! what is left of ureq's timeout
//! ([`retry_failed_resumption`](crate::generic::ConnectorBuilder::retry_failed_resumption)).

use std::fmt;
use std::io::ErrorKind;
use std::io::{Read, Write};
use std::net::SocketAddr;

use ::ureq::unversioned::resolver::{ArrayVec, DefaultResolver};
use ::ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    SocksConnector, TcpConnector, Transport, TransportAdapter, time,
};
use ::ureq::{Agent, Error, Timeout, config::Config};

use crate::{Backend, ConnectOptions, generic};

/// An agent with ureq's default settings, whose TLS connections `connector` makes.
pub fn agent<B: Backend>(connector: &generic::Connector<B>) -> Agent
where
    Connection<B>: Send + Sync,
{
    agent_with(Config::default(), connector)
}

/// An agent with the settings `config`, whose TLS connections `connector` makes.
pub fn agent_with<B: Backend>(config: Config, connector: &generic::Connector<B>) -> Agent
where
    Connection<B>: Send + Sync,
{
    let tcp =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default());
    let connector = TlsConnector::new(connector, tcp);
    Agent::with_parts(config, connector, DefaultResolver::default())
}

/// A connector for [`Agent::with_parts`], over a chain of ureq's connectors: makes a TLS connection
/// over the chain's transport if the URL is `https`.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), tls_resume::Error> {
/// use tls_resume::{rustls::Connector, ureq::TlsConnector};
/// use ureq::unversioned::resolver::DefaultResolver;
/// use ureq::unversioned::transport::TcpConnector;
///
/// let connector = TlsConnector::new(&Connector::builder().build()?, TcpConnector::default());
/// let agent = ureq::Agent::with_parts(Default::default(), connector, DefaultResolver::default());
/// # let _ = agent;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustls"))]
/// # fn main() {}
/// ```
pub struct TlsConnector<B: Backend, C> {
    connector: generic::Connector<B>,
    chain: C,
}

impl<B: Backend, C> TlsConnector<B, C> {
    /// A connector that connects by `chain` and makes TLS connections with `connector`. ureq's
    /// timeouts apply, not the connector's.
    ///
    /// The chain connects twice if a handshake with a session fails and
    /// [`retry_failed_resumption`](generic::ConnectorBuilder::retry_failed_resumption) is on.
    pub fn new(connector: &generic::Connector<B>, chain: C) -> Self {
        Self {
            connector: connector.clone(),
            chain,
        }
    }
}

/// A transport, and the address of the server that it is connected to, if it is known.
type Dialed<T> = (T, Option<SocketAddr>);

impl<B: Backend, C: Connector> TlsConnector<B, C> {
    /// Connects by the chain. Of a server with several addresses it passes one at a time, so that it is
    /// known which one the connection is to: each has half of the time that is left. The address of a
    /// server behind a proxy is not known.
    fn dial(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Dialed<C::Out>>, Error> {
        let connect = |details: &ConnectionDetails<'_>, address| {
            let connected = self.chain.connect(details, chained)?;
            Ok(connected.map(|transport| (transport, address)))
        };
        let is_direct = details.needs_tls()
            && details
                .config
                .proxy()
                .is_none_or(|proxy| proxy.is_no_proxy(details.uri));
        let Some((last, others)) = details.addrs.split_last().filter(|_| is_direct) else {
            return connect(details, None);
        };
        for address in others {
            let mut one = details_of(details, *address)?;
            if let time::Duration::Exact(left) = one.timeout.after {
                one.timeout.after = time::Duration::Exact(left / 2);
            }
            match connect(&one, Some(*address)) {
                Err(error) if is_of_address(&error) => {}
                done => return done,
            }
        }
        connect(&details_of(details, *last)?, Some(*last))
    }
}

impl<B: Backend, C: fmt::Debug> fmt::Debug for TlsConnector<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("connector", &self.connector)
            .field("chain", &self.chain)
            .finish()
    }
}

impl<B: Backend, C: Connector> Connector for TlsConnector<B, C>
where
    Connection<B>: Send + Sync,
{
    type Out = Either<C::Out, Connection<B>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some((transport, address)) = self.dial(details, chained)? else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let port = details.uri.port_u16().unwrap_or(443);
        let io = adapter(transport, details);
        let again = || {
            let details = details_now(details)?;
            let transport = match address {
                Some(address) => self
                    .chain
                    .connect(&details_of(&details, address).ok()?, None),
                None => self.chain.connect(&details, None),
            };
            Some(adapter(transport.ok()??, &details))
        };
        let options = match address {
            Some(address) => ConnectOptions::new().address(address.ip()),
            None => ConnectOptions::new(),
        };
        let connector = self.connector.with_options(&options);
        let connected = connector.connect_stream_or_retry(host, port, io, again);
        let stream = connected.map_err(|error| match ureq_timeout(&error) {
            Some(reason) => Error::Timeout(reason),
            None => Error::Other(error.into()),
        })?;
        if stream.alpn().is_some_and(|chosen| chosen == b"h2") {
            return Err(Error::Tls(
                "the server chose h2, which ureq does not speak: do not offer it",
            ));
        }
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Connection { stream, buffers })))
    }
}

/// The chain's transport with the time left for the handshake.
fn adapter(transport: impl Transport, details: &ConnectionDetails<'_>) -> TransportAdapter {
    let mut io = TransportAdapter::new(transport.boxed(), details.current_time.clone());
    io.set_timeout(time_left(details));
    io
}

/// The details of a second connection, which begins now; `None` if no time is left for it.
fn details_now<'d>(details: &ConnectionDetails<'d>) -> Option<ConnectionDetails<'d>> {
    let timeout = time_left(details);
    // ureq replaces a timeout of zero by a second.
    (!timeout.after.is_zero()).then(|| ConnectionDetails {
        now: (details.current_time)(),
        timeout,
        addrs: details.addrs.clone(),
        current_time: details.current_time.clone(),
        run_connector: details.run_connector.clone(),
        register_shutdown: details.register_shutdown.clone(),
        ..*details
    })
}

/// The details of a connection to this address alone, which begins now.
fn details_of<'d>(
    details: &ConnectionDetails<'d>,
    address: SocketAddr,
) -> Result<ConnectionDetails<'d>, Error> {
    let mut details = details_now(details).ok_or(Error::Timeout(details.timeout.reason))?;
    details.addrs = ArrayVec::from_fn(|_| address);
    details.addrs.push(address);
    Ok(details)
}

/// Whether a connection failed for a reason that another address may not have.
fn is_of_address(error: &Error) -> bool {
    match error {
        Error::Timeout(_) => true,
        Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::AddrNotAvailable
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::TimedOut
        ),
        _ => false,
    }
}

/// The time left of ureq's timeout, of which the chain has used some.
fn time_left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut left = details.timeout;
    if let (time::Duration::Exact(after), time::Instant::Exact(begun), time::Instant::Exact(now)) =
        (left.after, details.now, (details.current_time)())
    {
        let passed = now.saturating_duration_since(begun);
        left.after = time::Duration::Exact(after.saturating_sub(passed));
    }
    left
}

/// The ureq timeout that the transport failed with; `None` if it failed for another reason.
fn ureq_timeout(error: &crate::Error) -> Option<Timeout> {
    let io = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?;
    match io.get_ref()?.downcast_ref() {
        Some(Error::Timeout(reason)) => Some(*reason),
        _ => None,
    }
}

/// A TLS connection for ureq.
pub struct Connection<B: Backend> {
    stream: generic::Stream<B, TransportAdapter>,
    buffers: LazyBuffers,
}

impl<B: Backend> Transport for Connection<B>
where
    Self: Send + Sync,
{
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl<B: Backend> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
