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

use super::connection::{Engine, Outcome};
use super::watch::Watch;
use super::{Group, Library, Protocol, ServerResumption, ServerSettings, unbound};

/// Says that sessions belong to this server; without it none is resumed once clients are verified.
const SESSION_ID_CONTEXT: &[u8] = b"lab";

/// `SSL_OP_NO_ANTI_REPLAY`, for which there is no name.
const NO_ANTI_REPLAY: SslOptions = SslOptions::from_bits_retain(1 << 24);

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
        context.set_security_level(0); // their signatures are made over SHA-1
    }
    context.set_groups_list(&groups_list(settings))?;
    present_identity(&mut context, settings)?;
    verify_clients(&mut context, settings)?;

    // The name is acknowledged whatever it is, as rustls does.
    context.set_servername_callback(|_, _| Ok(()));
    if !settings.alpn.is_empty() {
        let spoken = settings.alpn.clone();
        context.set_alpn_select_callback(move |_, offered| {
            let choose = |protocol: &Vec<u8>| find_protocol(offered, protocol);
            spoken.iter().find_map(choose).ok_or(AlpnError::ALERT_FATAL)
        });
    }
    allow_resumption(&mut context, settings)?;
    Ok(context.build())
}

fn groups_list(settings: &ServerSettings) -> String {
    let mut groups = settings.groups.clone();
    assert!(!groups.is_empty(), "a server needs at least one group");
    let tls12 = settings.protocols.contains(&Protocol::Tls12);
    if tls12 && settings.client_root.is_some() && !groups.contains(&Group::P256) {
        groups.push(Group::P256); // stands for the curve of the client's certificate
    }
    let names: Vec<_> = groups.iter().map(|group| group.as_str()).collect();
    names.join(":")
}

fn present_identity(
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

fn allow_resumption(
    context: &mut SslContextBuilder,
    settings: &ServerSettings,
) -> Result<(), ErrorStack> {
    context.set_session_id_context(SESSION_ID_CONTEXT)?;
    context.set_num_tickets(settings.tickets)?;
    context.set_max_early_data(settings.max_early_data)?;
    if let Some(lifetime) = settings.lifetime {
        unbound::set_lifetime(context, lifetime);
    }
    if let Some(keys) = &settings.ticket_keys {
        unbound::set_ticket_keys(context, keys)?;
    }
    unbound::allow_watching(context)?;
    let sealed = settings.resumption == ServerResumption::Tickets;
    let replays = sealed && settings.openssl.accepts_replays;
    if replays {
        context.set_options(NO_ANTI_REPLAY);
    }
    if settings.keeps_sessions() && !replays {
        context.set_session_cache_mode(SslSessionCacheMode::SERVER);
        // No limit: a full cache of OpenSSL 3.0 breaks handshakes now and then.
        context.set_session_cache_size(0);
    } else {
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
    }
    if settings.resumption != ServerResumption::Tickets {
        context.set_options(SslOptions::NO_TICKET); // in TLS 1.3: no self-contained ones
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

/// Finds a protocol in the client's list, where each stands after one byte with its length.
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
    outcome: Option<Outcome>,
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
    pub(super) fn new(context: &SslContext, watch: Option<Arc<Watch>>) -> Self {
        let phase = if context.max_early_data() > 0 {
            Phase::EarlyData
        } else {
            Phase::Handshake
        };
        let tls = Ssl::new(context)
            .and_then(|mut ssl| {
                if let Some(watch) = watch {
                    unbound::watch(&mut ssl, watch);
                }
                SslStream::new(ssl, Pipe::default())
            })
            .expect("memory for a connection");
        Self {
            tls,
            phase,
            early_data: Vec::new(),
            received: Vec::new(),
            outcome: None,
            closed: false,
            failed: None,
        }
    }

    /// One step. `Ok(false)` is the end: nothing more to do until more bytes arrive.
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
                self.outcome = self.describe();
            }
            Phase::Open => {
                let length = self.tls.ssl_read(&mut buffer)?;
                self.received.extend_from_slice(&buffer[..length]);
            }
            Phase::ClientClosed => return Ok(false),
        }
        Ok(true)
    }

    fn describe(&self) -> Option<Outcome> {
        let ssl = self.tls.ssl();
        let protocol = match ssl.version2()? {
            SslVersion::TLS1_3 => Protocol::Tls13,
            SslVersion::TLS1_2 => Protocol::Tls12,
            _ => return None,
        };
        Some(Outcome {
            protocol,
            resumed: ssl.session_reused(),
            client_certificate: ssl.peer_certificate().is_some(),
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
        // Early data is handed out when the handshake is done, and so after it has been described.
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
        // Fails in the middle of a handshake and after an error, where there is nothing to say.
        let _ = self.tls.shutdown();
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn client_closed(&self) -> bool {
        self.phase == Phase::ClientClosed
    }
}

impl Drop for Connection {
    /// OpenSSL removes a session from the cache when its connection ends without `close_notify`.
    /// Clients do that all the time, so servers in the wild prevent it, and so does this one.
    fn drop(&mut self) {
        if self.outcome.is_some() && self.failed.is_none() {
            self.tls
                .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
        }
    }
}

/// The bytes between OpenSSL and the transport.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&self.incoming[self.taken..]).read(buffer)?;
        self.taken += length;
        if self.taken == self.incoming.len() {
            self.incoming.clear();
            self.taken = 0;
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
