//! The OpenSSL backend: [`Connector`] over OpenSSL 3.0 or newer.

mod facts;
mod failure;
#[cfg(feature = "tokio")]
mod outbox;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use ::openssl::error::ErrorStack;
use ::openssl::pkey::PKey;
use ::openssl::ssl::{
    ErrorCode, ShutdownState, Ssl, SslConnector, SslConnectorBuilder, SslMethod, SslRef, SslStream,
    SslVersion,
};
use ::openssl::x509::X509;
use ::openssl::x509::store::X509StoreBuilder;
use backend_openssl::{Connection, Session, Sessions};
use store_core::{DomainBuilder, SecurityDomain, SessionKey, SessionStore};

use self::facts::Known;
use self::failure::{is_unexpected_eof, of_failed, of_setup, reasons};
use crate::backend::sealed;
use crate::facts::Facts;
use crate::settings::{ClientCredential, Settings};
use crate::transport::Transport;
use crate::{Backend, Error, ErrorKind, Protocol, domain, early};

/// Makes TLS connections with OpenSSL that resume earlier ones.
pub type Connector = crate::connector::Connector<OpenSsl>;
/// Settings of a [`Connector`] in the making.
pub type ConnectorBuilder = crate::builder::ConnectorBuilder<OpenSsl>;
/// A TLS connection by OpenSSL.
pub type Stream<IO> = crate::stream::Stream<OpenSsl, IO>;

pub use backend_openssl::PeerCertificate;

/// OpenSSL behind a connector.
#[derive(Debug)]
pub struct OpenSsl {
    connector: backend_openssl::Connector,
}

impl Backend for OpenSsl {}

/// What only OpenSSL can be told.
#[derive(Debug, Default)]
pub struct Options {
    // Not part of the security domain: a session with its peer's certificate and one without have
    // the same verdict, and either may be resumed where the other is.
    peer_certificate: PeerCertificate,
}

impl ConnectorBuilder {
    /// Whether OpenSSL itself has the server's certificate on resumed connections, too. Default
    /// [`PeerCertificate::Keep`]. Without it, sessions take less memory.
    ///
    /// [`Stream::peer_certificates`](crate::generic::Stream::peer_certificates) has the whole chain
    /// either way, and what is verified is the same.
    pub fn peer_certificate(mut self, peer_certificate: PeerCertificate) -> Self {
        self.options.peer_certificate = peer_certificate;
        self
    }
}

#[cfg(feature = "shared")]
impl crate::Shareable for OpenSsl {}

impl<IO: Read + Write> Stream<IO> {
    /// The `SSL` object, for what only OpenSSL can tell.
    pub fn ssl(&self) -> &SslRef {
        self.tls().stream.ssl()
    }
}

impl sealed::Backend for OpenSsl {
    type Options = Options;
    type Session = Session;
    type Tls<IO: Read + Write> = Tls<IO>;

    #[cfg(feature = "shared")]
    fn open_shared() -> Option<crate::sharing::Open<Session>> {
        Some(crate::sharing::open)
    }

    fn build(
        settings: &Settings,
        options: Options,
        store: Arc<SessionStore<Session>>,
    ) -> Result<Self, Error> {
        let sessions = Sessions::over(store, Arc::clone(&settings.clock))
            .with_peer_certificate(options.peer_certificate);
        let builder = configure(settings)?;
        let domain = offers(domain::of(settings, "openssl"), settings).finish();
        let connector = sessions
            .attach(builder, domain)
            .map_err(|error| Error::new(ErrorKind::Config, error).caused_by(error))?;
        Ok(Self { connector })
    }

    fn domain(&self) -> &SecurityDomain {
        self.connector.domain()
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &str,
        key: Option<SessionKey>,
        early: &[u8],
        io: Transport<IO>,
    ) -> Result<(Tls<IO>, usize), Error> {
        let ssl = self.ssl(host, key).map_err(|error| of_setup(host, error))?;
        let early = sendable(&ssl, early);
        let mut stream = SslStream::new(ssl, io).map_err(|error| of_setup(host, error))?;
        let sent = if early.is_empty() {
            Ok(0)
        } else {
            stream.write_early_data(early)
        };
        match sent.and_then(|sent| stream.connect().map(|()| sent)) {
            Ok(sent) => {
                let accepted = accepted(stream.ssl(), sent);
                Ok((Tls { stream }, accepted))
            }
            Err(error) => Err(of_failed(host, stream.ssl().verify_result(), error)),
        }
    }
}

impl OpenSsl {
    /// An `Ssl` that is ready for a handshake with `host`.
    fn ssl(&self, host: &str, key: Option<SessionKey>) -> Result<Ssl, ErrorStack> {
        let mut ssl = match key {
            Some(key) => self.connector.ssl(host, key),
            None => self.connector.configure()?.into_ssl(host),
        }?;
        // What is sent early is sent before `connect` would say so.
        ssl.set_connect_state();
        Ok(ssl)
    }
}

/// What of `data` the session that `ssl` offers allows to be sent early.
fn sendable<'d>(ssl: &SslRef, data: &'d [u8]) -> &'d [u8] {
    let handle = backend_openssl::connection(ssl);
    let allowed = handle.map_or(0, Connection::early_data_allowed);
    early::beginning(data, usize::try_from(allowed).unwrap_or(usize::MAX))
}

/// How much of what was sent early the server has taken, now that the handshake is done.
fn accepted(ssl: &SslRef, sent: usize) -> usize {
    if backend_openssl::early_data_accepted(ssl) {
        sent
    } else {
        0
    }
}

/// Adds what the library decides: its version, which stands for its cipher suites, groups and
/// signature algorithms, since a connector leaves them at their defaults; and which roots are
/// compiled in, if they are trusted.
fn offers(domain: DomainBuilder, settings: &Settings) -> DomainBuilder {
    let compiled_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let compiled_in = compiled_in.iter().filter(|_| settings.roots.is_empty());
    domain
        .field("library", &::openssl::version::number().to_be_bytes())
        .list("roots compiled in", compiled_in)
}

fn configure(settings: &Settings) -> Result<SslConnectorBuilder, Error> {
    let mut builder = configure_trust(settings).map_err(|error| {
        let message = format!("a root certificate cannot be used: {}", reasons(&error));
        Error::new(ErrorKind::Config, message).caused_by(error)
    })?;
    if let Some(client) = &settings.client {
        present(&mut builder, client).map_err(|error| {
            let message = format!("the client certificate cannot be used: {}", reasons(&error));
            Error::new(ErrorKind::Config, message).caused_by(error)
        })?;
    }
    let offered = configure_offers(&mut builder, settings);
    offered.map(|()| builder).map_err(|error| {
        let message = format!("OpenSSL refuses the settings: {}", reasons(&error));
        Error::new(ErrorKind::Config, message).caused_by(error)
    })
}

fn configure_trust(settings: &Settings) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    if settings.roots.is_empty() {
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            roots.add_cert(X509::from_der(root)?)?;
        }
    }
    for root in &settings.roots {
        roots.add_cert(X509::from_der(root)?)?;
    }
    // In place of the system's, which the crate has loaded.
    builder.set_cert_store(roots.build());
    Ok(builder)
}

fn present(builder: &mut SslConnectorBuilder, client: &ClientCredential) -> Result<(), ErrorStack> {
    let mut chain = client.chain.iter();
    if let Some(certificate) = chain.next() {
        builder.set_certificate(X509::from_der(certificate)?.as_ref())?;
    }
    for intermediate in chain {
        builder.add_extra_chain_cert(X509::from_der(intermediate)?)?;
    }
    builder.set_private_key(PKey::private_key_from_der(client.key.secret_der())?.as_ref())?;
    builder.check_private_key()
}

fn configure_offers(
    builder: &mut SslConnectorBuilder,
    settings: &Settings,
) -> Result<(), ErrorStack> {
    if !settings.alpn.is_empty() {
        builder.set_alpn_protos(&alpn_wire(&settings.alpn))?;
    }
    // Loaded settings have at least one version, in ascending order.
    builder.set_min_proto_version(settings.protocols.first().map(|oldest| version(*oldest)))?;
    builder.set_max_proto_version(settings.protocols.last().map(|newest| version(*newest)))
}

/// Names with their lengths in front (RFC 7301, section 3.1); loaded settings keep them in bounds.
fn alpn_wire(protocols: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |name: &Vec<u8>| {
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        std::iter::once(length)
            .chain(name.iter().copied())
            .collect::<Vec<u8>>()
    };
    protocols.iter().flat_map(with_length).collect()
}

fn version(protocol: Protocol) -> SslVersion {
    match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    }
}

/// An OpenSSL connection whose handshake is done.
pub struct Tls<IO> {
    stream: SslStream<Transport<IO>>,
}

impl<IO> fmt::Debug for Tls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl<IO: Read + Write> sealed::Tls<IO> for Tls<IO> {
    fn facts(&self) -> impl Facts {
        Known(self.stream.ssl())
    }

    fn read_ahead(&mut self) -> io::Result<bool> {
        // Left alone, OpenSSL would go on reading until there is application data.
        self.stream.get_mut().begin_turn();
        let peeked = self.stream.ssl_peek(&mut [0]);
        let progressed = self.stream.get_mut().end_turn();
        match peeked {
            // Application data is there, and with it all that was sent before it.
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
            // Once more would wait for the server's answer.
            return self.stream.get_mut().flush();
        }
        let shut = self.stream.shutdown();
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
        // The crate's own `read` takes a connection that was cut off for one that was closed.
        loop {
            return match self.stream.ssl_read(buf) {
                Ok(length) => Ok(length),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(0),
                Err(error) if is_unexpected_eof(&error) => {
                    Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))
                }
                // A message that was no data.
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

    #[test]
    fn alpn_names_have_their_length_in_front() {
        assert_eq!(
            alpn_wire(&[b"h2".to_vec(), b"http/1.1".to_vec()]),
            b"\x02h2\x08http/1.1"
        );
    }

    /// R1, R5: a field changed is another domain, and the same settings are the same domain in
    /// every connector.
    #[test]
    fn the_domain_follows_the_settings() {
        let domain = |name: &str| {
            let connector = Connector::builder()
                .domain(name)
                .build()
                .expect("valid settings");
            *connector.security_domain()
        };
        assert_eq!(domain("a"), domain("a"));
        assert_ne!(domain("a"), domain("b"));
    }
}
