//! What the tests share: certificates, servers, and clients that trust them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use tls_resume::generic::{Connector, ConnectorBuilder, Stream};
use tls_resume::{Backend, Error, ErrorKind, ReadTimeout};

/// The name that all servers have.
pub(crate) const HOST: &str = "localhost";
/// Another one.
pub(crate) const OTHER: &str = "other.lab.example";
/// The port of servers that have no socket.
pub(crate) const PORT: u16 = 443;
/// How long to wait for what is bound to come.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The authority that the servers' certificates come from.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// A server's settings, for one version.
pub(crate) fn settings(version: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![version],
        ..ServerSettings::new(authority().issue(&[HOST, OTHER, "127.0.0.1"]))
    }
}

pub(crate) fn server(library: Library, version: Protocol) -> Server {
    Server::new(library, &settings(version))
}

/// The server that a test takes whose subject is the client alone.
pub(crate) fn good_server(version: Protocol) -> Server {
    server(Library::Rustls, version)
}

pub(crate) fn listen(server: Server) -> TcpServer {
    TcpServer::start(server).expect("a free port")
}

/// Every server library with every version.
pub(crate) fn each(mut test: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for version in Protocol::ALL {
            test(library, version);
        }
    }
}

/// A client that trusts the servers.
pub(crate) fn builder<B: Backend>() -> ConnectorBuilder<B> {
    Connector::builder().roots([authority().root_der()])
}

pub(crate) fn client<B: Backend>() -> Connector<B> {
    builder().build().expect("valid settings")
}

/// Connects over TCP and waits for the sessions.
pub(crate) fn visit<B: Backend>(client: &Connector<B>, server: &TcpServer) -> Stream<B, TcpStream> {
    visit_as(client, HOST, server)
}

pub(crate) fn visit_as<B: Backend>(
    client: &Connector<B>,
    host: &str,
    server: &TcpServer,
) -> Stream<B, TcpStream> {
    let mut stream = client.connect(host, server.port()).expect("a connection");
    stream.wait_for_tickets(LONG).expect("a wait");
    stream
}

/// The same without a socket.
pub(crate) fn visit_in_memory<B: Backend>(
    client: &Connector<B>,
    server: &Server,
) -> Stream<B, Memory> {
    let mut stream = start(client, server);
    talk(&mut stream);
    stream
}

/// A handshake; tickets of TLS 1.3 are still to be read.
pub(crate) fn start<B: Backend>(client: &Connector<B>, server: &Server) -> Stream<B, Memory> {
    client
        .connect_stream(HOST, PORT, Memory(InMemory::new(server)))
        .expect("a connection")
}

/// Sends and has it echoed, and thereby reads the tickets.
pub(crate) fn talk(stream: &mut (impl Read + Write)) {
    let mut echo = [0; 5];
    stream.write_all(b"hello").expect("a write");
    stream.flush().expect("a flush");
    stream.read_exact(&mut echo).expect("a read");
    assert_eq!(&echo, b"hello");
}

/// A transport that never waits, and so has no timeout.
#[derive(Debug)]
pub(crate) struct Memory(pub(crate) InMemory);

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl ReadTimeout for Memory {
    fn set_read_timeout(&self, _: Option<Duration>) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the server knows of the last of `count` handshakes.
pub(crate) fn last(server: &TcpServer, count: usize) -> Handshake {
    let handshakes = server.wait_for_handshakes(count, LONG);
    assert_eq!(handshakes.len(), count, "handshakes that were completed");
    handshakes[count - 1].clone()
}

/// The error of a kind, in one line that says something.
pub(crate) fn refused<T>(result: Result<T, Error>, kind: ErrorKind) -> String {
    let Err(error) = result else {
        panic!("expected {kind:?}")
    };
    let line = error.to_string();
    assert_eq!(error.kind(), kind, "{line}");
    assert!(!line.is_empty() && !line.contains(['\n', '\r']), "{line:?}");
    line
}

/// A file in the system's folder for such, gone with its owner.
pub(crate) struct TemporaryFile(pub(crate) PathBuf);

impl TemporaryFile {
    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let thread = std::thread::current().id();
        let unique = format!("tls-resume-{}-{thread:?}-{name}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        fs::write(&path, content).expect("a temporary file");
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
