//! The OpenSSL backend: [`Connector`] over OpenSSL 3.0 or newer.

mod configure;
mod details;
mod failure;
#[cfg(feature = "tokio")]
mod outbox;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslRef, SslStream};
use backend_openssl::{Connection, Session, Sessions};
use store_core::{DomainBuilder, ReuseTickets, SecurityDomain, SessionStore};

use self::configure::configure;
use self::details::OpenSslDetails;
use self::failure::{fatal_alert, handshake_error, is_unexpected_eof, setup_error};
use crate::backend::sealed::{self, Attempt};
use crate::connection_info::{self, Details};
use crate::error::TlsEvidence;
use crate::host::Host;
use crate::settings::Settings;
use crate::transport::{Transport, is_end};
use crate::{Backend, Error, domain, early};

/// Makes TLS connections with OpenSSL that resume earlier sessions.
pub type Connector = crate::connector::Connector<OpenSsl>;
/// Builder of a [`Connector`].
pub type ConnectorBuilder = crate::builder::ConnectorBuilder<OpenSsl>;
/// A TLS connection of OpenSSL.
pub type Stream<IO> = crate::stream::Stream<OpenSsl, IO>;

pub use backend_openssl::PeerCertificate;

/// The OpenSSL backend of a connector.
#[derive(Debug)]
pub struct OpenSsl {
    connector: backend_openssl::Connector,
}

impl Backend for OpenSsl {}

/// Settings of this backend alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    // Not part of the security domain: the certificate was verified either way, so connectors with
    // different policies may share sessions. Both offer the same groups.
    peer_certificate: PeerCertificate,
    keep_post_quantum: bool,
}

impl ConnectorBuilder {
    /// Sets whether `SSL_get0_peer_certificate` returns the server's certificate on resumed
    /// connections. Default [`PeerCertificate::Keep`]. With [`PeerCertificate::Strip`], sessions
    /// take less memory.
    ///
    /// It changes neither what is verified nor what
    /// [`peer_certificates`](crate::generic::ConnectionInfo::peer_certificates) returns.
    pub fn peer_certificate(mut self, peer_certificate: PeerCertificate) -> Self {
        self.options.peer_certificate = peer_certificate;
        self
    }

    /// Sets whether the first message always keeps the key share of a post-quantum group
    /// (X25519MLKEM768), which OpenSSL 3.5 and newer send. Default `false`: the group that the
    /// server chose last comes first, and alone has a key share.
    ///
    /// Every group is offered either way. A server that learns X25519MLKEM768 after the first
    /// connection may go on choosing the group before; with `true`, it chooses the new one on the
    /// next connection. The key share costs about 90 microseconds and 1.2 kB a handshake.
    pub fn keep_post_quantum(mut self, keep: bool) -> Self {
        self.options.keep_post_quantum = keep;
        self
    }
}

#[cfg(feature = "shared")]
impl crate::Shareable for OpenSsl {}

impl<IO: Read + Write> Stream<IO> {
    /// The `SSL` object, for its own methods.
    pub fn ssl(&self) -> &SslRef {
        self.tls.stream.ssl()
    }
}

impl sealed::Backend for OpenSsl {
    const NAME: &'static str = "openssl";

    type Options = Options;
    type Session = Session;
    type Tls<IO: Read + Write> = Tls<IO>;

    #[cfg(feature = "shared")]
    fn open_shared() -> Option<crate::store::Open<Session>> {
        Some(crate::store::at_url)
    }

    fn build(
        settings: &Settings,
        options: Options,
        store: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        let sessions = Sessions::over(store, Arc::clone(&settings.clock))
            .with_peer_certificate(options.peer_certificate)
            .with_reuse_tickets(settings.reuse_tickets);
        let builder = configure(settings)?;
        let domain = offers(domain::builder(settings, "openssl"), settings).finish();
        let connector = sessions
            .attach(builder, domain)
            .map_err(|error| Error::config(error).caused_by(error))?
            .keep_post_quantum(options.keep_post_quantum);
        Ok(Self { connector })
    }

    fn over(&self, store: Arc<SessionStore<Session>>) -> Self {
        let own = self.connector.sessions();
        let sessions = Sessions::over(store, Arc::clone(own.clock()))
            .with_peer_certificate(own.peer_certificate())
            .with_reuse_tickets(ReuseTickets::UntilRenewed);
        let connector = self.connector.over(sessions);
        Self { connector }
    }

    fn domain(&self) -> &SecurityDomain {
        self.connector.domain()
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let early = attempt.early;
        let ssl = self.ssl(host, attempt)?;
        let early = sendable(&ssl, early);
        let mut stream =
            SslStream::new(ssl, io).map_err(|error| setup_error(host.as_str(), error))?;
        let sent = if early.is_empty() {
            Ok(0)
        } else {
            stream.write_early_data(early)
        };
        match sent.and_then(|sent| stream.connect().map(|()| sent)) {
            Ok(sent) => {
                let ssl = stream.ssl();
                report(ssl, |handle| handle.handshake_succeeded(ssl));
                let accepted = accepted(ssl, sent);
                Ok((Tls { stream }, accepted))
            }
            Err(error) => {
                let evidence = stream.get_ref().evidence(offered(stream.ssl()));
                Err(failed(host, evidence, stream.ssl(), error))
            }
        }
    }
}

impl OpenSsl {
    /// An `Ssl` that is ready for a handshake with `host`.
    fn ssl(&self, host: &Host, attempt: Attempt<'_>) -> Result<Ssl, Error> {
        let name = host.as_str();
        let ssl = match attempt.key {
            Some(key) => self
                .connector
                .driven(name, key, attempt.address, attempt.offers),
            None => self
                .connector
                .configure()
                .and_then(|configuration| configuration.into_ssl(name)),
        };
        let mut ssl = ssl.map_err(|error| setup_error(name, error))?;
        // `SSL_connect` would set it, but `SSL_write_early_data` is called before that.
        ssl.set_connect_state();
        Ok(ssl)
    }
}

/// Reports an event to the connection's handle in the store, if it has one: no info callback does.
/// One whose transport failed needs no report: the handle is dropped within it.
fn report(ssl: &SslRef, event: impl FnOnce(&Connection)) {
    if let Some(handle) = backend_openssl::connection(ssl) {
        // A panic, for instance in a `tracing` subscriber, is a miss.
        let _ = catch_unwind(AssertUnwindSafe(|| event(handle)));
    }
}

/// Reports that the server has sent a fatal alert, or that the transport has ended, if this is why a
/// read failed.
fn report_alert(ssl: &SslRef, error: &::openssl::ssl::Error) {
    if let Some(alert) = fatal_alert(error) {
        report(ssl, |handle| handle.alert_received(Some(alert)));
    } else if is_unexpected_eof(error) || error.io_error().is_some_and(|io| is_end(io.kind())) {
        report(ssl, Connection::transport_ended);
    }
}

/// Reports that the server has sent application data.
fn received_data(ssl: &SslRef) {
    if let Some(handle) = backend_openssl::connection(ssl) {
        handle.received_data();
    }
}

/// The error of a handshake, whose reason is reported to the connection's handle.
fn failed(host: &Host, evidence: TlsEvidence, ssl: &SslRef, error: ::openssl::ssl::Error) -> Error {
    let error = handshake_error(host.as_str(), evidence, ssl.verify_result(), error);
    error.report(
        |alert| report(ssl, |handle| handle.alert_received(alert)),
        || report(ssl, Connection::distrusted),
    );
    error.with_offered(offered(ssl))
}

/// Whether a session of the store was offered on `ssl`.
fn offered(ssl: &SslRef) -> bool {
    backend_openssl::connection(ssl).is_some_and(Connection::offered)
}

/// The prefix of `data` to send as early data with the session that `ssl` offers.
fn sendable<'d>(ssl: &SslRef, data: &'d [u8]) -> &'d [u8] {
    let handle = backend_openssl::connection(ssl);
    let max = handle.map_or(0, Connection::early_data_allowed);
    early::sendable(data, usize::try_from(max).unwrap_or(usize::MAX))
}

/// How much of the early data the server accepted, once the handshake is done: all or nothing.
fn accepted(ssl: &SslRef, sent: usize) -> usize {
    if backend_openssl::early_data_accepted(ssl) {
        sent
    } else {
        0
    }
}

/// Adds the library's version, which decides over its default cipher suites, groups and signature
/// algorithms, and the compiled-in roots if they are trusted.
fn offers(domain: DomainBuilder, settings: &Settings) -> DomainBuilder {
    let compiled_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let compiled_in = compiled_in.iter().filter(|_| settings.roots.is_empty());
    domain
        .field("library", &::openssl::version::number().to_be_bytes())
        .list("roots compiled in", compiled_in)
}

/// A connection of OpenSSL whose handshake is done, with its transport.
pub struct Tls<IO> {
    stream: SslStream<Transport<IO>>,
}

impl<IO> fmt::Debug for Tls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl<IO> connection_info::Connection for Tls<IO> {
    fn details(&self) -> impl Details {
        OpenSslDetails(self.stream.ssl())
    }
}

impl<IO: Read + Write> sealed::Tls<IO> for Tls<IO> {
    fn read_ahead(&mut self) -> io::Result<bool> {
        // Without the limit, OpenSSL would read until there is application data.
        self.stream.get_mut().limit_to_one_read();
        let peeked = self.stream.ssl_peek(&mut [0]);
        if let Err(error) = &peeked {
            report_alert(self.stream.ssl(), error);
        }
        let progressed = self.stream.get_mut().lift_read_limit();
        match peeked {
            // Application data has arrived, and so have the tickets sent before it.
            Ok(_) => Ok(false),
            Err(error) => match error.code() {
                ErrorCode::WANT_READ if progressed => Ok(true),
                ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                ErrorCode::ZERO_RETURN => Ok(false),
                _ if is_unexpected_eof(&error) => Ok(false),
                _ => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
            },
        }
    }

    fn close(&mut self) -> io::Result<()> {
        if self.stream.get_shutdown().contains(ShutdownState::SENT) {
            // A second `SSL_shutdown` would wait for the server's close_notify.
            return self.stream.get_mut().flush();
        }
        let shut = self.stream.shutdown();
        if self.stream.get_shutdown().contains(ShutdownState::SENT) {
            report(self.stream.ssl(), Connection::closed);
        }
        if let Some(error) = self.stream.get_ref().write_error() {
            return Err(error.into());
        }
        match shut {
            Ok(_) => self.stream.get_mut().flush(),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(()),
            Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
        }
    }

    fn io(&self) -> &Transport<IO> {
        self.stream.get_ref()
    }

    fn io_mut(&mut self) -> &mut Transport<IO> {
        self.stream.get_mut()
    }
}

impl<IO: Read + Write> Read for Tls<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Not the crate's `read`, which reports a truncated connection as the end.
        loop {
            let read = self.stream.ssl_read(buf);
            if let Err(error) = &read {
                report_alert(self.stream.ssl(), error);
            }
            return match read {
                Ok(length) => {
                    received_data(self.stream.ssl());
                    Ok(length)
                }
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(0),
                Err(error) if is_unexpected_eof(&error) => {
                    Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))
                }
                // A handshake message instead of data.
                Err(error)
                    if error.code() == ErrorCode::WANT_READ && error.io_error().is_none() =>
                {
                    continue;
                }
                Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
            };
        }
    }
}

impl<IO: Read + Write> Write for Tls<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R1, R5.
    #[test]
    fn connectors_with_the_same_settings_have_the_same_domain() {
        let domain = |name: &str| {
            let connector = Connector::builder()
                .domain(name)
                .build()
                .expect("valid settings");
            connector.security_domain()
        };
        assert_eq!(domain("a"), domain("a"));
        assert_ne!(domain("a"), domain("b"));
    }
}
