//! Blocking clients that trust the test servers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use lab::server::{Handshake, Server};
use lab::tcp::TcpServer;
use lab::transport::InMemory;
use tls_resume::generic::{Connector, ConnectorBuilder, Stream};
use tls_resume::{Backend, Error, ErrorKind, ReadTimeout};

use crate::servers::{HOST, LONG, PORT, authority};

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

/// Connects without a socket, and reads the sessions.
pub(crate) fn visit_in_memory<B: Backend>(
    client: &Connector<B>,
    server: &Server,
) -> Stream<B, Memory> {
    let mut stream = start(client, server);
    talk(&mut stream);
    stream
}

/// Makes a handshake without a socket. Tickets of TLS 1.3 are still to be read.
pub(crate) fn start<B: Backend>(client: &Connector<B>, server: &Server) -> Stream<B, Memory> {
    client
        .connect_stream(HOST, PORT, Memory(InMemory::new(server)))
        .expect("a connection")
}

/// Sends a word and reads the echo, and with it the tickets.
pub(crate) fn talk(stream: &mut (impl Read + Write)) {
    let mut echo = [0; 5];
    stream.write_all(b"hello").expect("a write");
    stream.flush().expect("a flush");
    stream.read_exact(&mut echo).expect("a read");
    assert_eq!(&echo, b"hello");
}

/// A transport that never blocks, and so needs no timeout.
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

/// The last of `count` handshakes, as the server saw it.
pub(crate) fn last(server: &TcpServer, count: usize) -> Handshake {
    let handshakes = server.wait_for_handshakes(count, LONG);
    assert_eq!(handshakes.len(), count, "handshakes that were completed");
    handshakes[count - 1].clone()
}

/// The text of an error of this kind, which is one line.
pub(crate) fn error_line<T>(result: Result<T, Error>, kind: ErrorKind) -> String {
    let Err(error) = result else {
        panic!("expected {kind:?}")
    };
    let line = error.to_string();
    assert_eq!(error.kind(), kind, "{line}");
    assert!(!line.is_empty() && !line.contains(['\n', '\r']), "{line:?}");
    line
}

/// A file in the system's temporary folder; dropping it deletes the file.
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
