//! The server on OpenSSL.

use std::io::{self, Read, Write};
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, Error, ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod,
    SslOptions, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use super::connection::{Engine, Negotiated};
use super::ffi;
use super::settings::{Group, Library, Protocol, ServerResumption, ServerSettings};
use super::ticket_observer::TicketObserver;

/// Without a session id context, OpenSSL resumes no session while it verifies clients.
const SESSION_ID_CONTEXT: &[u8] = b"lab";

/// `SSL_OP_NO_ANTI_REPLAY`, which the `openssl` crate does not have.
const NO_ANTI_REPLAY: SslOptions = SslOptions::from_bits_retain(1 << 24);

/// The context that all connections of a server share.
pub(super) fn context(settings: &ServerSettings) -> SslContext {
    for group in &settings.groups {
        let version = openssl::version::version();
        assert!(
            Library::OpenSsl.supports(*group),
            "{version} lacks the group {group}"
        );
    }
    build(settings).expect("OpenSSL accepts the server's settings")
}

fn build(settings: &ServerSettings) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    let (first, last) = versions(settings);
    context.set_min_proto_version(Some(first))?;
    context.set_max_proto_version(Some(last))?;
    if settings.openssl.outdated {
        context.set_security_level(0); // TLS 1.0 and 1.1 sign SHA-1 hashes
    }
    context.set_groups_list(&groups_list(settings))?;
    set_identity(&mut context, settings)?;
    verify_clients(&mut context, settings)?;

    // Any name is acknowledged, as rustls does.
    context.set_servername_callback(|_, _| Ok(()));
    if !settings.alpn.is_empty() {
        let supported = settings.alpn.clone();
        context.set_alpn_select_callback(move |_, offered| {
            let select = |protocol: &Vec<u8>| find_protocol(offered, protocol);
            supported
                .iter()
                .find_map(select)
                .ok_or(AlpnError::ALERT_FATAL)
        });
    }
    set_resumption(&mut context, settings)?;
    Ok(context.build())
}

fn groups_list(settings: &ServerSettings) -> String {
    let mut groups = settings.groups.clone();
    assert!(!groups.is_empty(), "a server needs at least one group");
    let tls12 = settings.protocols.contains(&Protocol::Tls12);
    if tls12 && settings.client_root.is_some() && !groups.contains(&Group::P256) {
        groups.push(Group::P256); // the curve of the client's certificate
    }
    let names: Vec<_> = groups.iter().map(|group| group.as_str()).collect();
    names.join(":")
}

fn set_identity(
    context: &mut SslContextBuilder,
    settings: &ServerSettings,
) -> Result<(), ErrorStack> {
    let (leaf, issuers) = settings
        .identity
        .chain
        .split_first()
        .expect("an identity has a certificate");
    let leaf = X509::from_der(leaf)?;
    context.set_certificate(&leaf)?;
    for issuer in issuers {
        context.add_extra_chain_cert(X509::from_der(issuer)?)?;
    }
    let key = PKey::private_key_from_der(settings.identity.key.secret_der())?;
    context.set_private_key(&key)
}

fn verify_clients(
    context: &mut SslContextBuilder,
    settings: &ServerSettings,
) -> Result<(), ErrorStack> {
    if let Some(root) = &settings.client_root {
        let root = X509::from_der(root)?;
        context.add_client_ca(&root)?;
        let mut roots = X509StoreBuilder::new()?;
        roots.add_cert(root)?;
        context.set_cert_store(roots.build());
        context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    Ok(())
}

fn set_resumption(
    context: &mut SslContextBuilder,
    settings: &ServerSettings,
) -> Result<(), ErrorStack> {
    if settings.openssl.no_session_id_context {
        context.set_verify(SslVerifyMode::PEER);
    } else {
        context.set_session_id_context(SESSION_ID_CONTEXT)?;
    }
    context.set_num_tickets(settings.tickets)?;
    context.set_max_early_data(settings.max_early_data)?;
    if let Some(lifetime) = settings.lifetime {
        ffi::set_lifetime(context, lifetime);
    }
    if let Some(keys) = &settings.ticket_keys {
        ffi::set_ticket_keys(context, keys)?;
    }
    ffi::set_ticket_callbacks(context, settings.openssl.renews_nothing)?;
    let tickets = settings.resumption == ServerResumption::Tickets;
    let replays = tickets && settings.openssl.accepts_replays;
    if replays {
        context.set_options(NO_ANTI_REPLAY);
    }
    if settings.caches_sessions() && !replays {
        context.set_session_cache_mode(SslSessionCacheMode::SERVER);
        // No limit: with a full cache, handshakes fail now and then in OpenSSL 3.0.
        context.set_session_cache_size(0);
    } else {
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
    }
    if settings.resumption != ServerResumption::Tickets {
        context.set_options(SslOptions::NO_TICKET); // in TLS 1.3: no self-contained tickets
    }
    if settings.resumption == ServerResumption::Off {
        context.set_num_tickets(0)?;
    }
    Ok(())
}

/// The oldest and the newest version.
fn versions(settings: &ServerSettings) -> (SslVersion, SslVersion) {
    if settings.openssl.outdated {
        return (SslVersion::TLS1, SslVersion::TLS1_1);
    }
    let first = settings.protocols.iter().min();
    let last = settings.protocols.iter().max();
    let (first, last) = first
        .zip(last)
        .expect("a server needs at least one protocol");
    (version(*first), version(*last))
}

fn version(protocol: Protocol) -> SslVersion {
    match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    }
}

/// Finds a protocol in the client's list, where a byte with its length precedes each.
fn find_protocol<'a>(mut offered: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    while let Some((length, rest)) = offered.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        if protocol == wanted {
            return Some(protocol);
        }
        offered = rest;
    }
    None
}

/// A connection of an OpenSSL server.
pub(super) struct Connection {
    tls: SslStream<Pipe>,
    phase: Phase,
    early_data: Vec<u8>,
    received: Vec<u8>,
    negotiated: Option<Negotiated>,
    closed: bool,
    failed: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    EarlyData,
    Handshake,
    Open,
    ClientClosed,
}

impl Connection {
    pub(super) fn new(context: &SslContext, observer: Option<Arc<TicketObserver>>) -> Self {
        let phase = if context.max_early_data() > 0 {
            Phase::EarlyData
        } else {
            Phase::Handshake
        };
        let tls = Ssl::new(context)
            .and_then(|mut ssl| {
                if let Some(observer) = observer {
                    ffi::observe(&mut ssl, observer);
                }
                SslStream::new(ssl, Pipe::default())
            })
            .expect("memory for a connection");
        Self {
            tls,
            phase,
            early_data: Vec::new(),
            received: Vec::new(),
            negotiated: None,
            closed: false,
            failed: None,
        }
    }

    /// Makes one step. `Ok(false)`: the client has closed the connection.
    fn step(&mut self) -> Result<bool, Error> {
        let mut buffer = [0; 4096];
        match self.phase {
            Phase::EarlyData => match self.tls.read_early_data(&mut buffer)? {
                0 => self.phase = Phase::Handshake,
                length => {
                    self.early_data.extend_from_slice(&buffer[..length]);
                    self.received.extend_from_slice(&buffer[..length]);
                }
            },
            Phase::Handshake => {
                self.tls.accept()?;
                self.phase = Phase::Open;
                self.negotiated = self.read_negotiated();
            }
            Phase::Open => {
                let length = self.tls.ssl_read(&mut buffer)?;
                self.received.extend_from_slice(&buffer[..length]);
            }
            Phase::ClientClosed => return Ok(false),
        }
        Ok(true)
    }

    fn read_negotiated(&self) -> Option<Negotiated> {
        let ssl = self.tls.ssl();
        let protocol = match ssl.version2()? {
            SslVersion::TLS1_3 => Protocol::Tls13,
            SslVersion::TLS1_2 => Protocol::Tls12,
            _ => return None,
        };
        Some(Negotiated {
            protocol,
            resumed: ssl.session_reused(),
            client_leaf: ssl.peer_certificate().and_then(|leaf| leaf.to_der().ok()),
            early_data: !self.early_data.is_empty(),
        })
    }
}

impl Engine for Connection {
    fn receive(&mut self, bytes: &[u8]) {
        self.tls.get_mut().incoming.extend_from_slice(bytes);
        while self.failed.is_none() {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.code() == ErrorCode::WANT_READ => break,
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.phase = Phase::ClientClosed;
                }
                Err(error) => self.failed = Some(error.to_string()),
            }
        }
    }

    fn send(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.tls.get_mut().outgoing);
    }

    fn received(&mut self) -> Vec<u8> {
        // Early data, too, is returned once the handshake is completed.
        match self.phase {
            Phase::EarlyData | Phase::Handshake => Vec::new(),
            Phase::Open | Phase::ClientClosed => std::mem::take(&mut self.received),
        }
    }

    fn early_data(&self) -> &[u8] {
        &self.early_data
    }

    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() && !self.closed && self.failed.is_none() {
            match self.tls.ssl_write(data) {
                Ok(length) => data = &data[length..],
                Err(error) => self.failed = Some(error.to_string()),
            }
        }
    }

    fn close(&mut self) {
        self.closed = true;
        // Fails during a handshake and after an error, when no `close_notify` can be sent.
        let _ = self.tls.shutdown();
    }

    fn negotiated(&self) -> Option<Negotiated> {
        self.negotiated.clone()
    }

    fn export(&self, label: &str, context: Option<&[u8]>) -> Option<[u8; 32]> {
        let (ssl, mut output) = (self.tls.ssl(), [0; 32]);
        let exported = ssl.export_keying_material(&mut output, label, context);
        exported.ok().map(|()| output)
    }

    fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn client_closed(&self) -> bool {
        self.phase == Phase::ClientClosed
    }
}

impl Drop for Connection {
    /// Keeps the session in the cache: OpenSSL removes it when a connection ends without
    /// `close_notify`, which many clients omit, so servers commonly prevent that.
    fn drop(&mut self) {
        if self.negotiated.is_some() && self.failed.is_none() {
            self.tls
                .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
        }
    }
}

/// The bytes received for OpenSSL, and those that it has sent.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    /// How much of `incoming` OpenSSL has read.
    read: usize,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&self.incoming[self.read..]).read(buffer)?;
        self.read += length;
        if self.read == self.incoming.len() {
            self.incoming.clear();
            self.read = 0;
        }
        if length == 0 {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            Ok(length)
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.outgoing.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
