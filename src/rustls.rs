//! The rustls backend: [`Connector`] over rustls 0.23.
//!
//! Sessions of rustls 0.23 are opaque. They cannot leave the memory of their process. They do not
//! show their lifetime or size, so the store counts their age from their arrival and their size by
//! the bytes that they arrived in. Only the connector that received them can resume them.

mod client_config;
mod config;
mod credential;
mod details;
mod failure;
mod follower;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use ::rustls::crypto::CryptoProvider;
use ::rustls::{ClientConfig, ClientConnection, HandshakeKind};
use backend_rustls::{
    ConfigPool, Connection, PooledConnection, Session, Sessions, earliest_not_after,
};
use store_core::{ReuseTickets, SecurityDomain, SessionStore};

use self::config::{config, domain_of, provider};
use self::credential::Credential;
use self::details::RustlsDetails;
use self::failure::{handshake_error, rustls_error};
use self::follower::FollowerCell;
use crate::backend::sealed::{self, Attempt};
use crate::connection_info::{self, Details};
#[cfg(feature = "quinn")]
use crate::domain;
use crate::error::TlsEvidence;
use crate::host::Host;
use crate::settings::Settings;
use crate::transport::{Transport, is_end};
use crate::{Backend, Error, early};

/// Makes TLS connections with rustls that resume earlier sessions.
pub type Connector = crate::connector::Connector<Rustls>;
/// Builder of a [`Connector`].
pub type ConnectorBuilder = crate::builder::ConnectorBuilder<Rustls>;
/// A TLS connection of rustls.
pub type Stream<IO> = crate::stream::Stream<Rustls, IO>;

/// The rustls 0.23 backend of a connector.
#[derive(Debug)]
pub struct Rustls {
    configs: ConfigPool,
    domain: SecurityDomain,
    credential: Credential,
    follower: FollowerCell,
}

impl Backend for Rustls {}

/// Settings of this backend alone.
#[derive(Clone, Debug, Default)]
pub struct Options {
    provider: Option<Arc<CryptoProvider>>,
}

impl ConnectorBuilder {
    /// Uses this crypto provider instead of aws-lc-rs, with its cipher suites and groups.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.options.provider = Some(provider);
        self
    }
}

impl<IO: Read + Write> Stream<IO> {
    /// The connection of rustls, for its own methods.
    pub fn connection(&self) -> &ClientConnection {
        &self.tls.connection
    }
}

impl sealed::Backend for Rustls {
    const NAME: &'static str = "rustls";

    type Options = Options;
    type Session = Session;
    type Tls<IO: Read + Write> = Tls<IO>;

    fn domains_of_other_clients(&self, domain: &SecurityDomain) -> Vec<SecurityDomain> {
        vec![
            self.client_config_domain(domain),
            #[cfg(feature = "quinn")]
            domain::of_quic(domain),
        ]
    }

    fn build(
        settings: &Settings,
        options: Options,
        store: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        if settings.reuse_tickets != ReuseTickets::Never {
            return Err(Error::config(
                "reuse_tickets: rustls 0.23 cannot copy a TLS 1.3 ticket: use the OpenSSL backend or \
                 rustls_preview, or leave it at never",
            ));
        }
        let provider = provider(settings, options.provider)?;
        let domain = domain_of(settings, &provider);
        let credential = Credential::new(settings, &provider)?;
        let sessions = Sessions::over(store, Arc::clone(&settings.clock));
        let config = config(settings, provider, credential.resolver())?;
        let configs = ConfigPool::new(config, sessions);
        let follower = FollowerCell::default();
        Ok(Self {
            configs,
            domain,
            credential,
            follower,
        })
    }

    /// Keeps the verifier, so that a `ClientConfig` that follows the credential stays valid.
    fn with_credential(
        &self,
        settings: &Settings,
        _: Options,
        _: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        let mut config = ClientConfig::clone(self.configs.config());
        let domain = domain_of(settings, config.crypto_provider());
        let credential = Credential::new(settings, config.crypto_provider())?;
        config.client_auth_cert_resolver = credential.resolver();
        Ok(Self {
            configs: ConfigPool::new(config, self.configs.sessions().clone()),
            domain,
            credential,
            follower: self.follower.clone(),
        })
    }

    fn over(&self, store: Arc<SessionStore<Session>>) -> Self {
        let config = ClientConfig::clone(self.configs.config());
        let sessions = Sessions::over(store, Arc::clone(self.configs.sessions().clock()));
        Self {
            configs: ConfigPool::new(config, sessions),
            domain: self.domain,
            credential: self.credential.clone(),
            follower: self.follower.clone(),
        }
    }

    fn domain(&self) -> &SecurityDomain {
        &self.domain
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        mut io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let early = attempt.early;
        let handle = self.begin(&attempt);
        let config = self.config(handle.as_ref());
        let connection = ClientConnection::new(config, host.server_name().clone());
        let failed = |io: &Transport<IO>, error: io::Error| {
            let offered = handle.as_ref().is_some_and(|handle| handle.offered());
            let error = handshake_error(host.as_str(), io.evidence(offered), error);
            report_failure(&error, handle.as_deref());
            error.with_offered(offered)
        };
        let mut connection =
            connection.map_err(|error| rustls_error(host.as_str(), TlsEvidence::None, error))?;
        let sent = send_early(&mut connection, early);
        while connection.is_handshaking() {
            // Reads and writes once. If rustls fails, it sends rustls's alert first.
            let done = connection.complete_io(&mut Counting(&mut io, handle.as_deref()));
            if done.map_err(|error| failed(&io, error))? == (0, 0) {
                // A transport that accepts no bytes would make this loop endless.
                return Err(failed(&io, io::ErrorKind::BrokenPipe.into()));
            }
        }
        self.settle(&connection, handle.as_deref());
        let accepted = accepted(&connection, sent);
        let tls = Tls {
            connection,
            io,
            handle,
        };
        Ok((tls, accepted))
    }
}

impl Rustls {
    fn begin(&self, attempt: &Attempt<'_>) -> Option<PooledConnection> {
        let key = attempt.key.as_ref()?;
        let handle = if attempt.early.is_empty() {
            self.configs.connection(key)
        } else {
            self.configs.connection_for_early_data(key)
        };
        if let Some(address) = attempt.address {
            handle.connects_to(address);
        }
        if !attempt.offers {
            handle.offer_nothing();
        }
        Some(handle)
    }

    /// Ends a handshake that succeeded. Sessions of a full one expire with its certificates.
    fn settle(&self, connection: &ClientConnection, handle: Option<&Connection>) {
        let (Some(handle), Some(kind)) = (handle, connection.handshake_kind()) else {
            return;
        };
        if kind != HandshakeKind::Resumed {
            let chain = connection.peer_certificates().unwrap_or_default();
            let now = self.configs.sessions().clock().now();
            let server = earliest_not_after(chain, now);
            handle.certificates_expire(server.min(self.credential.not_after()));
        }
        handle.settle(kind);
    }

    /// The configuration of a connection with this handle; one without resumption for `None`.
    fn config(&self, handle: Option<&PooledConnection>) -> Arc<ClientConfig> {
        handle.map_or_else(
            || Arc::clone(self.configs.config()),
            PooledConnection::config,
        )
    }
}

/// Sends a prefix of `data` after the `ClientHello`, if the session allows it; returns its length.
fn send_early(connection: &mut ClientConnection, data: &[u8]) -> usize {
    let Some(mut early) = connection.early_data() else {
        return 0;
    };
    let data = early::sendable(data, early.bytes_left());
    // Writes less if its buffer is full, and fails only after the handshake.
    early.write(data).unwrap_or(0)
}

/// How much of the early data the server accepted, once the handshake is done: all or nothing.
fn accepted(connection: &ClientConnection, sent: usize) -> usize {
    if connection.is_early_data_accepted() {
        sent
    } else {
        0
    }
}

/// A connection of rustls whose handshake is done, with its transport.
pub struct Tls<IO> {
    connection: ClientConnection,
    io: Transport<IO>,
    // Dropped after the connection that uses it.
    handle: Option<PooledConnection>,
}

/// Reports to the handle why its handshake failed.
fn report_failure(error: &Error, handle: Option<&Connection>) {
    if let Some(handle) = handle {
        error.report(|alert| handle.alert_received(alert), || handle.distrusted());
    }
}

/// Reports to the handle if `result` is a fatal alert from the server, or the end of the transport.
fn report_alert<T>(result: io::Result<T>, handle: Option<&Connection>) -> io::Result<T> {
    result.inspect_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match (inner, handle) {
            (Some(::rustls::Error::AlertReceived(alert)), Some(handle)) => {
                handle.alert_received(Some((*alert).into()));
            }
            (_, Some(handle)) if is_end(error.kind()) => handle.transport_ended(),
            _ => {}
        }
    })
}

impl<IO> fmt::Debug for Tls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl<IO> connection_info::Connection for Tls<IO> {
    fn details(&self) -> impl Details {
        RustlsDetails {
            connection: &self.connection,
            handle: self.handle.as_deref(),
        }
    }
}

impl<IO: Read + Write> sealed::Tls<IO> for Tls<IO> {
    fn read_ahead(&mut self) -> io::Result<bool> {
        if !self.connection.wants_read() {
            return Ok(false);
        }
        let mut io = Counting(&mut self.io, self.handle.as_deref());
        let ended = self.connection.read_tls(&mut io)? == 0;
        let state = self
            .connection
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        let state = report_alert(state, self.handle.as_deref())?;
        Ok(!ended && state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
    }

    fn close(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.io)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if let Some(handle) = &self.handle {
            handle.closed();
        }
        self.io.flush()
    }

    fn io(&self) -> &Transport<IO> {
        &self.io
    }

    fn io_mut(&mut self) -> &mut Transport<IO> {
        &mut self.io
    }
}

impl<IO: Read + Write> Tls<IO> {
    /// Reads or writes application data; rustls reads and writes records as it needs to.
    fn drive<T>(
        &mut self,
        work: impl FnOnce(
            &mut ::rustls::Stream<'_, ClientConnection, Counting<'_, IO>>,
        ) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut io = Counting(&mut self.io, self.handle.as_deref());
        let done = work(&mut ::rustls::Stream::new(&mut self.connection, &mut io));
        report_alert(done, self.handle.as_deref())
    }
}

impl<IO: Read + Write> Read for Tls<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.drive(|stream| stream.read(buf))?;
        if let Some(handle) = &self.handle {
            handle.received_data();
        }
        Ok(read)
    }
}

impl<IO: Read + Write> Write for Tls<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.drive(|stream| stream.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drive(|stream| stream.flush())
    }
}

/// A transport that reports to the handle how many bytes arrive: a session has no more bytes.
struct Counting<'a, IO>(&'a mut Transport<IO>, Option<&'a Connection>);

impl<IO> Counting<'_, IO> {
    fn sent(&self) {
        if let Some(handle) = self.1 {
            handle.sent();
        }
    }
}

impl<IO: Read> Read for Counting<'_, IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buf)?;
        if let Some(handle) = self.1 {
            handle.received(read);
        }
        Ok(read)
    }
}

impl<IO: Write> Write for Counting<'_, IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sent();
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.sent();
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R32.
    #[test]
    fn tickets_cannot_be_reused() {
        let reusing = Connector::builder().reuse_tickets(ReuseTickets::UntilRenewed);
        let error = reusing.build().expect_err("not possible");
        assert!(
            error.to_string().contains("use the OpenSSL backend"),
            "{error}"
        );
    }
}
