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
//! server chooses it, the request fails. HTTP proxies work. With a SOCKS proxy, in the settings or in
//! the environment, a request fails rather than bypass the proxy.

use std::fmt;
use std::io::{Read, Write};

use ::ureq::unversioned::resolver::DefaultResolver;
use ::ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter, time,
};
use ::ureq::{Agent, Error, Proxy, ProxyProtocol, Timeout, config::Config};

use crate::{Backend, generic};

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
    let chain =
        ().chain(RejectSocks)
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(TlsConnector::new(connector));
    Agent::with_parts(config, chain, DefaultResolver::default())
}

/// The first link of the chain: fails with a SOCKS proxy, which ureq would bypass without its own
/// SOCKS connector.
#[derive(Debug)]
struct RejectSocks;

impl<In: Transport> Connector<In> for RejectSocks {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, Error> {
        let is_socks = |proxy: &Proxy| match proxy.protocol() {
            ProxyProtocol::Http | ProxyProtocol::Https => false,
            // SOCKS, and any kind that ureq may add.
            _ => !proxy.is_no_proxy(details.uri),
        };
        if details.config.proxy().is_some_and(is_socks) {
            return Err(Error::Other(
                "this agent does not support SOCKS proxies: use an HTTP proxy or none".into(),
            ));
        }
        Ok(chained)
    }
}

/// The last link of ureq's chain of connectors: makes a TLS connection over the transport of the link
/// before it, if the URL is `https`.
pub struct TlsConnector<B: Backend> {
    connector: generic::Connector<B>,
}

impl<B: Backend> TlsConnector<B> {
    /// A link that makes its connections with `connector`. ureq's timeouts apply, not the
    /// connector's.
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            connector: connector.clone(),
        }
    }
}

impl<B: Backend> fmt::Debug for TlsConnector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsConnector")
            .field(&self.connector)
            .finish()
    }
}

impl<B: Backend, In: Transport> Connector<In> for TlsConnector<B>
where
    Connection<B>: Send + Sync,
{
    type Out = Either<In, Connection<B>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let port = details.uri.port_u16().unwrap_or(443);
        let mut io = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        io.set_timeout(time_left(details));
        let connected = self.connector.connect_stream(host, port, io);
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

/// The time left for the handshake: the links before this one have used some of ureq's timeout.
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
