//! A client that uses the store, and servers for it.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backend_openssl::{Connection, Connector, PeerCertificate, Sessions, connection};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use openssl::ssl::{
    HandshakeError, ShutdownState, Ssl, SslConnector, SslConnectorBuilder, SslMethod, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use store_core::{Limits, ManualClock, SecurityDomain, SessionKey, Stats, Timestamp};

pub(crate) const HOST: &str = "server.lab.example";
pub(crate) const OTHER: &str = "other.lab.example";
pub(crate) const PORT: u16 = 443;

/// The authority of all server certificates.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

pub(crate) fn settings(protocol: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![protocol],
        ..ServerSettings::new(authority().issue(&[HOST, OTHER]))
    }
}

/// A server with a certificate for both names.
pub(crate) fn server(library: Library, protocol: Protocol) -> Server {
    Server::new(library, &settings(protocol))
}

/// Runs `test` with each server library and each protocol version.
pub(crate) fn for_each_server(mut test: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            test(library, protocol);
        }
    }
}

/// A client context that trusts `root`.
pub(crate) fn builder_trusting(root: &Authority, protocol: Protocol) -> SslConnectorBuilder {
    let version = match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    };
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    let mut roots = X509StoreBuilder::new().unwrap();
    let root = X509::from_der(&root.root_der()).unwrap();
    roots.add_cert(root).unwrap();
    builder.set_cert_store(roots.build());
    builder
}

pub(crate) fn builder(protocol: Protocol) -> SslConnectorBuilder {
    builder_trusting(authority(), protocol)
}

pub(crate) fn domain(name: &str) -> SecurityDomain {
    SecurityDomain::builder("tests")
        .field("name", name.as_bytes())
        .finish()
}

pub(crate) struct Client {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) sessions: Sessions,
    pub(crate) connector: Connector,
}

impl Client {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self::with(builder(protocol), Limits::default())
    }

    pub(crate) fn with(builder: SslConnectorBuilder, limits: Limits) -> Self {
        Self::with_policy(builder, limits, PeerCertificate::Keep)
    }

    pub(crate) fn with_policy(
        builder: SslConnectorBuilder,
        limits: Limits,
        policy: PeerCertificate,
    ) -> Self {
        let now = Timestamp::from_unix(Duration::from_secs(1_800_000_000));
        let clock = Arc::new(ManualClock::new(now));
        let sessions = Sessions::with_clock(limits, clock.clone()).unwrap();
        let sessions = sessions.with_peer_certificate(policy);
        let connector = sessions.attach(builder, domain("one")).unwrap();
        Self {
            clock,
            sessions,
            connector,
        }
    }

    /// Makes a handshake with `HOST`. TLS 1.3 tickets are not yet read.
    pub(crate) fn start(&self, server: &Server) -> SslStream<InMemory> {
        start(&self.connector, HOST, PORT, server)
    }

    /// Connects, echoes and closes. Returns whether OpenSSL resumed.
    pub(crate) fn visit(&self, server: &Server) -> bool {
        visit(&self.connector, HOST, PORT, server)
    }

    pub(crate) fn key(&self) -> SessionKey {
        self.connector.key(HOST, PORT)
    }

    /// An unprepared `Ssl` for `HOST`.
    pub(crate) fn ssl(&self, verify_hostname: bool) -> Ssl {
        let configuration = self.connector.configure().unwrap();
        configuration
            .verify_hostname(verify_hostname)
            .into_ssl(HOST)
            .unwrap()
    }

    /// Prepares `ssl`, makes the handshake and echoes.
    pub(crate) fn connect(&self, mut ssl: Ssl, server: &Server) -> SslStream<InMemory> {
        self.connector.prepare(&mut ssl, self.key());
        let mut stream = ssl.connect(InMemory::new(server)).unwrap();
        echo(&mut stream);
        stream
    }

    /// Connects under its own verify mode, and closes. Returns whether it was resumed.
    pub(crate) fn visit_with_mode(&self, mode: SslVerifyMode, server: &Server) -> bool {
        let mut ssl = self.ssl(true);
        ssl.set_verify(mode);
        let mut stream = self.connect(ssl, server);
        close(&mut stream);
        stream.ssl().session_reused()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.sessions.store().stats()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn start(
    connector: &Connector,
    host: &str,
    port: u16,
    server: &Server,
) -> SslStream<InMemory> {
    connector
        .connect(host, port, InMemory::new(server))
        .unwrap()
}

pub(crate) fn visit(connector: &Connector, host: &str, port: u16, server: &Server) -> bool {
    let mut stream = start(connector, host, port, server);
    echo(&mut stream);
    close(&mut stream);
    stream.ssl().session_reused()
}

/// Sends a request and reads its echo, and with it all tickets sent before.
pub(crate) fn echo<IO: Read + Write>(stream: &mut SslStream<IO>) {
    stream.write_all(b"request").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"request");
}

/// Closes a connection with `close_notify`.
pub(crate) fn close<IO: Read + Write>(stream: &mut SslStream<IO>) {
    stream.shutdown().unwrap();
    stream.set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
}

/// The store's connection of a stream.
pub(crate) fn connection_of<IO>(stream: &SslStream<IO>) -> &Connection {
    connection(stream.ssl()).expect("a prepared connection")
}

/// The handshake that waits for its server.
pub(crate) fn would_block<IO: Debug>(
    result: Result<SslStream<IO>, HandshakeError<IO>>,
) -> impl Sized {
    match result {
        Err(HandshakeError::WouldBlock(waiting)) => waiting,
        other => panic!("the handshake should wait: {other:?}"),
    }
}

/// A transport that accepts all writes, and reads as at its end or as not ready.
#[derive(Debug)]
pub(crate) struct Silent {
    pub(crate) ended: bool,
}

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        if self.ended {
            Ok(0)
        } else {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
    }
}

impl Write for Silent {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
