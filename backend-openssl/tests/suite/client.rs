//! A client over the store, and servers for it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

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

pub const HOST: &str = "server.lab.example";
pub const OTHER: &str = "other.lab.example";
pub const PORT: u16 = 443;

/// The authority that the servers' certificates come from.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

pub fn settings(protocol: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![protocol],
        ..ServerSettings::new(authority().issue(&[HOST, OTHER]))
    }
}

/// A server that goes by both names.
pub fn server(library: Library, protocol: Protocol) -> Server {
    Server::new(library, &settings(protocol))
}

/// Every server library with every version.
pub fn each(mut test: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            test(library, protocol);
        }
    }
}

/// A client's context that trusts `root`.
pub fn builder_trusting(root: &Authority, protocol: Protocol) -> SslConnectorBuilder {
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

pub fn builder(protocol: Protocol) -> SslConnectorBuilder {
    builder_trusting(authority(), protocol)
}

pub fn domain(name: &str) -> SecurityDomain {
    SecurityDomain::builder("tests")
        .field("name", name.as_bytes())
        .finish()
}

pub struct Client {
    pub clock: Arc<ManualClock>,
    pub sessions: Sessions,
    pub connector: Connector,
}

impl Client {
    pub fn new(protocol: Protocol) -> Self {
        Self::with(builder(protocol), Limits::default())
    }

    pub fn with(builder: SslConnectorBuilder, limits: Limits) -> Self {
        Self::under(builder, limits, PeerCertificate::Keep)
    }

    pub fn under(builder: SslConnectorBuilder, limits: Limits, policy: PeerCertificate) -> Self {
        let start = Timestamp::from_unix(Duration::from_secs(1_800_000_000));
        let clock = Arc::new(ManualClock::new(start));
        let sessions = Sessions::with_clock(limits, clock.clone()).unwrap();
        let sessions = sessions.with_peer_certificate(policy);
        let connector = sessions.attach(builder, domain("one")).unwrap();
        Self {
            clock,
            sessions,
            connector,
        }
    }

    /// A handshake with `HOST`. Tickets of TLS 1.3 are still to be read.
    pub fn start(&self, server: &Server) -> SslStream<InMemory> {
        start(&self.connector, HOST, PORT, server)
    }

    /// Connects, talks, closes. Whether OpenSSL resumed.
    pub fn visit(&self, server: &Server) -> bool {
        visit(&self.connector, HOST, PORT, server)
    }

    pub fn key(&self) -> SessionKey {
        self.connector.key(HOST, PORT)
    }

    /// An `Ssl` for `HOST` that is not prepared yet.
    pub fn ssl(&self, verify_hostname: bool) -> Ssl {
        let configuration = self.connector.configure().unwrap();
        configuration
            .verify_hostname(verify_hostname)
            .into_ssl(HOST)
            .unwrap()
    }

    /// Prepares `ssl`, makes the handshake and talks.
    pub fn run(&self, mut ssl: Ssl, server: &Server) -> SslStream<InMemory> {
        self.connector.prepare(&mut ssl, self.key());
        let mut stream = ssl.connect(InMemory::new(server)).unwrap();
        talk(&mut stream);
        stream
    }

    /// The same under a verify mode of its own; says whether it was resumed, and closes.
    pub fn run_under(&self, mode: SslVerifyMode, server: &Server) -> bool {
        let mut ssl = self.ssl(true);
        ssl.set_verify(mode);
        let mut stream = self.run(ssl, server);
        close(&mut stream);
        stream.ssl().session_reused()
    }

    pub fn stats(&self) -> Stats {
        self.sessions.store().stats()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub fn start(connector: &Connector, host: &str, port: u16, server: &Server) -> SslStream<InMemory> {
    connector
        .connect(host, port, InMemory::new(server))
        .unwrap()
}

pub fn visit(connector: &Connector, host: &str, port: u16, server: &Server) -> bool {
    let mut stream = start(connector, host, port, server);
    talk(&mut stream);
    close(&mut stream);
    stream.ssl().session_reused()
}

/// Has something echoed; tickets that were sent by then are read on the way.
pub fn talk<IO: Read + Write>(stream: &mut SslStream<IO>) {
    stream.write_all(b"request").unwrap();
    let mut echo = [0; 7];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"request");
}

/// Ends a connection as it should end.
pub fn close<IO: Read + Write>(stream: &mut SslStream<IO>) {
    stream.shutdown().unwrap();
    stream.set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
}

pub fn of<IO>(stream: &SslStream<IO>) -> &Connection {
    connection(stream.ssl()).expect("the connection was prepared")
}

/// The handshake that began and waits for its server.
pub fn begun<IO: Debug>(result: Result<SslStream<IO>, HandshakeError<IO>>) -> impl Sized {
    match result {
        Err(HandshakeError::WouldBlock(waiting)) => waiting,
        other => panic!("the handshake should be waiting: {other:?}"),
    }
}

/// A network that takes everything and says nothing: it is at its end, or has nothing yet.
#[derive(Debug)]
pub struct Mute {
    pub ended: bool,
}

impl Read for Mute {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        if self.ended {
            Ok(0)
        } else {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
    }
}

impl Write for Mute {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
