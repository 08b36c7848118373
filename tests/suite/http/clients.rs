//! Servers that choose by ALPN, and connectors that trust them.

use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic;
use tls_resume::hyper::{HttpsConnector, MaybeHttpsStream};
use tls_resume::tokio::{Backend, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::servers::{HOST, authority};

pub(crate) fn names(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// A server that chooses from `alpn`.
pub(crate) fn listen(library: Library, version: Protocol, alpn: &[&str]) -> TcpServer {
    let settings = ServerSettings {
        protocols: vec![version],
        alpn: names(alpn),
        ..ServerSettings::new(authority().issue(&[HOST, "127.0.0.1"]))
    };
    TcpServer::start(Server::new(library, &settings)).expect("a free port")
}

pub(crate) fn builder<B: Backend>() -> generic::ConnectorBuilder<B> {
    let builder = generic::Connector::builder().roots([authority().root_der()]);
    builder.alpn(names(&["h2", "http/1.1"]))
}

pub(crate) fn connector<B: Backend>() -> generic::Connector<B> {
    builder().build().expect("valid settings")
}

pub(crate) fn uri(host: &str, port: u16) -> Uri {
    format!("https://{host}:{port}/").parse().expect("a URI")
}

/// What hyper's client learns of a connection, and the connection.
pub(crate) type Visited<B> = (Connected, Stream<B, TcpStream>);

/// Connects, exchanges data, which brings the tickets, and shuts down.
pub(crate) async fn visit<B: Backend>(https: &HttpsConnector<B>, uri: Uri) -> Visited<B> {
    let stream = https.clone().call(uri).await.expect("a connection");
    let connected = stream.connected();
    let MaybeHttpsStream::Tls(mut tls) = stream.into_inner() else {
        panic!("this is no TLS");
    };
    let mut echo = [0; 5];
    tls.write_all(b"hello").await.expect("a write");
    tls.read_exact(&mut echo).await.expect("a read");
    assert_eq!(&echo, b"hello");
    tls.shutdown().await.expect("close_notify");
    (connected, tls)
}
