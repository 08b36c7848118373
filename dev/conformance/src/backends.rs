//! The connectors of tls-resume as [`Client`]s.

use std::io::Read;
use std::time::Duration;

use lab::certificate::Identity;
use rustls::ClientConfig;
use tls_resume::generic::{ConnectionInfo, Connector, ConnectorBuilder, Stream};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::tokio::Backend as AsyncBackend;
use tls_resume::{
    Backend, ConnectOptions, Error, ErrorKind, Resumption, Shareable, Stats, TierStats,
};

use crate::check::message;
use crate::client::{Client, Connection, Failure, Options, Setup, Store};
use crate::door::{self, Door};
use crate::wire::Wire;

/// How long a connection waits for a session from the tier: much longer than by default, so that
/// claims do not depend on how busy the machine is.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// A backend of tls-resume, with the constants of [`Client`] and the sharing of sessions.
trait TestedBackend: AsyncBackend {
    const NO_REUSE: Option<&'static str> = None;
    const HIDES_LIFETIME: Option<&'static str>;
    const NO_CALLBACKS: Option<&'static str>;
    const NO_CLIENT_CONFIG: Option<&'static str>;
    const NAME_FOR_CHILD: Result<&'static str, &'static str>;

    /// A `ClientConfig` with the connector's store, if the backend has one.
    fn client_config(connector: &Connector<Self>) -> Option<ClientConfig> {
        let _ = connector;
        None
    }
    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String>;
    fn tier_stats(connector: &Connector<Self>) -> TierStats;
}

const IS_RUST: Option<&str> = Some("rustls is Rust: nothing unwinds into C");
const OF_RUSTLS: Option<&str> = Some("a `ClientConfig` of rustls 0.23 has sessions of rustls 0.23");
const NOT_SHAREABLE: &str = "sessions of rustls 0.23 cannot leave the memory of their process";

impl TestedBackend for Rustls {
    const NO_REUSE: Option<&'static str> = Some("rustls 0.23 cannot copy a ticket");
    const HIDES_LIFETIME: Option<&'static str> =
        Some("rustls 0.23 does not show a session's lifetime");
    const NO_CALLBACKS: Option<&'static str> = IS_RUST;
    const NO_CLIENT_CONFIG: Option<&'static str> = None;
    const NAME_FOR_CHILD: Result<&'static str, &'static str> = Err(NOT_SHAREABLE);

    fn client_config(connector: &Connector<Self>) -> Option<ClientConfig> {
        Some(connector.client_config())
    }

    fn share(_: ConnectorBuilder<Self>, _: Store) -> Result<ConnectorBuilder<Self>, String> {
        Err(NOT_SHAREABLE.to_owned())
    }

    fn tier_stats(_: &Connector<Self>) -> TierStats {
        TierStats::default()
    }
}

impl TestedBackend for OpenSsl {
    const HIDES_LIFETIME: Option<&'static str> = None;
    const NO_CALLBACKS: Option<&'static str> = None;
    const NO_CLIENT_CONFIG: Option<&'static str> = OF_RUSTLS;
    const NAME_FOR_CHILD: Result<&'static str, &'static str> = Ok("openssl");

    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String> {
        Ok(with_tier(builder, store))
    }

    fn tier_stats(connector: &Connector<Self>) -> TierStats {
        connector.tier_stats().unwrap_or_default()
    }
}

impl TestedBackend for RustlsPreview {
    const HIDES_LIFETIME: Option<&'static str> = None;
    const NO_CALLBACKS: Option<&'static str> = IS_RUST;
    const NO_CLIENT_CONFIG: Option<&'static str> = OF_RUSTLS;
    const NAME_FOR_CHILD: Result<&'static str, &'static str> = Ok("rustls_preview");

    fn share(
        builder: ConnectorBuilder<Self>,
        store: Store,
    ) -> Result<ConnectorBuilder<Self>, String> {
        Ok(with_tier(builder, store))
    }

    fn tier_stats(connector: &Connector<Self>) -> TierStats {
        connector.tier_stats().unwrap_or_default()
    }
}

fn with_tier<B: Shareable>(builder: ConnectorBuilder<B>, store: Store) -> ConnectorBuilder<B> {
    let Store { url, keys } = store;
    builder
        .store(url)
        .store_keys(keys)
        .store_timeout(STORE_TIMEOUT)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Certificate => Failure::Certificate,
        _ => Failure::Other(error.to_string()),
    }
}

#[allow(private_bounds, reason = "implemented for the three backends only")]
impl<B: TestedBackend> Client for Connector<B> {
    type Connection = Stream<B, Wire>;
    const HIDES_LIFETIME: Option<&'static str> = B::HIDES_LIFETIME;
    const NO_CALLBACKS: Option<&'static str> = B::NO_CALLBACKS;
    const NO_TASKS: Option<&'static str> = None;
    const NO_CLIENT_CONFIG: Option<&'static str> = B::NO_CLIENT_CONFIG;
    const NO_OPTIONS: Option<&'static str> = None;
    const NO_KIN: Option<&'static str> = None;
    const NO_REUSE: Option<&'static str> = B::NO_REUSE;

    fn name_for_child() -> Result<String, &'static str> {
        B::NAME_FOR_CHILD.map(str::to_owned)
    }

    fn new(setup: Setup) -> Result<Self, String> {
        let mut builder = Self::builder()
            .roots(setup.roots)
            .alpn(setup.alpn)
            .protocols(setup.protocols)
            .limits(setup.limits)
            .domain(setup.domain)
            .never_resume(setup.never_resume)
            .resume_with_client_certificate(setup.resume_with_client_certificate)
            .reuse_tickets(setup.reuse_tickets)
            .early_data(setup.early_data)
            .clock(setup.clock);
        if let Some(Identity { chain, key }) = setup.identity {
            builder = builder.client_certificate(chain, key);
        }
        if let Some(store) = setup.store {
            builder = B::share(builder, store)?;
        }
        builder.build().map_err(message)
    }

    fn with_identity(&self, identity: Identity) -> Result<Self, String> {
        let Identity { chain, key } = identity;
        self.with_client_certificate(chain, key).map_err(message)
    }

    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<Self::Connection, Failure> {
        self.connect_stream(host, port, wire).map_err(failure)
    }

    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(Self::Connection, usize), Failure> {
        self.connect_stream_early(host, port, wire, data)
            .map_err(failure)
    }

    fn visit_through(
        &self,
        door: Door,
        host: &str,
        port: u16,
        wire: Option<Wire>,
    ) -> Result<bool, Failure> {
        match (door, wire) {
            (Door::Blocking, Some(wire)) => {
                let stream = self.connect_stream(host, port, wire);
                door::finish(stream.map_err(failure)?)
            }
            (Door::Blocking, None) => {
                let stream = Self::connect(self, host, port);
                door::finish(stream.map_err(failure)?)
            }
            (Door::Tasks, wire) => door::visit_in_task(self, host, port, wire),
            (Door::Futures, Some(wire)) => door::visit_over_futures(self, host, port, wire),
            (Door::ClientConfig, Some(wire)) => match B::client_config(self) {
                Some(config) => door::visit_by_rustls(config, host, wire),
                None => Err(Failure::Other(format!(
                    "{} has no ClientConfig",
                    self.backend_name()
                ))),
            },
            (door, None) => Err(Failure::Other(format!("{door:?} makes no TCP connections"))),
        }
    }

    fn connect_with(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        options: &Options,
    ) -> Result<Self::Connection, Failure> {
        let mut given = ConnectOptions::new()
            .resumption(options.resumption)
            .keep_session(options.keep_session);
        if let Some(name) = &options.partition {
            given = given.partition(name.as_str());
        }
        if let Some(name) = &options.endpoint {
            given = given.endpoint(name.as_str());
        }
        if let Some(address) = options.address {
            given = given.address(address);
        }
        self.connect_stream_with(host, port, wire, &given)
            .map_err(failure)
    }

    fn connect_kin(
        &self,
        connection: &Self::Connection,
        wire: Wire,
    ) -> Result<Self::Connection, Failure> {
        self.connect_stream_resuming(connection, wire)
            .map_err(failure)
    }

    fn clear_partition(&self, name: &str) {
        Self::clear_partition(self, name);
    }

    fn set_never_resume(&self, servers: &[String]) {
        Self::set_never_resume(self, servers).expect("valid servers");
    }

    fn domain(&self) -> Vec<u8> {
        self.security_domain().as_bytes().to_vec()
    }

    fn clear(&self) {
        Self::clear(self);
    }

    fn clear_server(&self, host: &str, port: u16) {
        Self::clear_server(self, host, port);
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn tier_stats(&self) -> TierStats {
        B::tier_stats(self)
    }
}

impl<B: Backend> Connection for Stream<B, Wire> {
    fn resumption(&self) -> Resumption {
        ConnectionInfo::resumption(self)
    }

    fn read_tickets(&mut self) -> Result<usize, String> {
        self.wait_for_tickets(Duration::from_secs(1))
            .map_err(message)
    }

    fn read_data(&mut self) -> Result<usize, String> {
        let read = self.read(&mut [0; 64]);
        read.map_err(message)
    }

    fn forget(&self) {
        ConnectionInfo::forget(self);
    }

    fn close(mut self) -> Result<(), String> {
        Self::close(&mut self).map_err(message)
    }

    fn wire(&mut self) -> &mut Wire {
        self.get_mut()
    }
}
