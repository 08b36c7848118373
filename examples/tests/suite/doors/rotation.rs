//! R38: client certificates that rotate in clients of other crates. 200 connections over 5 rotations
//! are never of an old identity, and resume with the current one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use examples::serve::HttpsServer;
use lab::certificate::Identity;
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use openssl::sha::sha256;
use serde_json::Value;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, ClientCredential, RotatingCredential, ureq};
use tokio::runtime::Runtime;

use super::common::{authority, builder, clock, settings};
use super::lettre::visit as visit_smtp;
use super::postgres::visit as visit_postgres;
use super::starttls_server::{Before, StartTlsServer};
use crate::nats::NatsServer;
use crate::recording_proxy::RecordingProxy;

const ROTATIONS: usize = 5;
/// Connections with each certificate.
const CONNECTIONS: usize = 40;
const LONG: Duration = Duration::from_secs(10);

fn identity() -> Identity {
    authority().issue_client("client.lab.example")
}

fn credential(identity: &Identity) -> ClientCredential {
    let Identity { chain, key } = identity.clone();
    ClientCredential::new(chain, key)
}

/// A server that demands a client certificate.
fn demanding(protocol: Protocol) -> Server {
    let settings = ServerSettings {
        client_root: Some(authority().root_der()),
        ..settings(protocol)
    };
    Server::new(Library::Rustls, &settings)
}

fn https_server(protocol: Protocol) -> HttpsServer {
    HttpsServer::start_on(authority(), demanding(protocol)).expect("a server")
}

/// What a server saw of a connection.
struct Seen {
    resumed: bool,
    /// SHA-256 of the client's certificate, in hexadecimal.
    leaf: String,
}

impl From<Handshake> for Seen {
    fn from(handshake: Handshake) -> Self {
        Self {
            resumed: handshake.resumed,
            leaf: fingerprint(&handshake.client_leaf.expect("a certificate")),
        }
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let bytes = sha256(certificate).map(|byte| format!("{byte:02x}"));
    bytes.concat()
}

/// Connects, and rotates in between. `visit` returns what the server saw last; the first `full`
/// connections with a certificate do not resume.
fn rotate<S: Into<Seen>>(source: &RotatingCredential, full: usize, mut visit: impl FnMut() -> S) {
    for _ in 0..ROTATIONS {
        let identity = identity();
        source.set(credential(&identity));
        for count in 0..CONNECTIONS {
            let seen = visit().into();
            let leaf = fingerprint(&identity.chain[0]);
            assert_eq!(seen.leaf, leaf, "another identity");
            assert_eq!(seen.resumed, count >= full, "connection {count}");
        }
    }
}

fn source() -> Arc<RotatingCredential> {
    Arc::new(RotatingCredential::new(credential(&identity())))
}

fn connector<B: Backend>(source: &Arc<RotatingCredential>) -> Connector<B> {
    let builder = builder::<B>(false).client_credentials(Arc::clone(source));
    builder.build().expect("valid settings")
}

fn last(server: &HttpsServer) -> Handshake {
    server.handshakes().pop().expect("a handshake")
}

fn in_ureq<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for protocol in Protocol::ALL {
        let (server, source) = (https_server(protocol), source());
        let connector = connector::<B>(&source);
        rotate(&source, 1, || {
            let agent = ureq::agent(&connector); // a new pool
            let response = agent.get(server.url()).call();
            let text = response.expect("an answer").body_mut().read_to_string();
            assert_eq!(text.expect("text"), "hello\n");
            last(&server)
        });
    }
}

#[test]
fn in_ureq_on_each_backend() {
    in_ureq::<Rustls>();
    in_ureq::<OpenSsl>();
    in_ureq::<RustlsPreview>();
}

/// A server behind one that speaks what comes before TLS; `visit` connects to it.
fn after_starttls<B: tls_resume::tokio::Backend>(
    before: Before,
    mut visit: impl FnMut(&Connector<B>, SocketAddr) -> Result<(), tls_resume::Error>,
) {
    let tls = TcpServer::start(demanding(Protocol::Tls13)).expect("a port");
    let (server, source) = (StartTlsServer::start(before, tls.address()), source());
    let connector = connector::<B>(&source);
    let mut handshakes = 0;
    rotate(&source, 1, || {
        visit(&connector, server.address).expect("a connection");
        handshakes += 1;
        let mut seen = tls.wait_for_handshakes(handshakes, LONG);
        seen.pop().expect("a handshake")
    });
}

fn in_lettre<B: tls_resume::tokio::Backend>() {
    let runtime = Runtime::new().expect("a runtime");
    after_starttls::<B>(Before::Smtp, |connector, server| {
        runtime.block_on(visit_smtp(connector, server.port()))
    });
}

#[test]
fn in_lettre_on_each_backend() {
    in_lettre::<Rustls>();
    in_lettre::<OpenSsl>();
}

fn in_tokio_postgres<B: tls_resume::tokio::Backend>() {
    let runtime = Runtime::new().expect("a runtime");
    after_starttls::<B>(Before::Postgres, |connector, server| {
        runtime.block_on(visit_postgres(connector, server))
    });
}

#[test]
fn in_tokio_postgres_on_each_backend() {
    in_tokio_postgres::<Rustls>();
    in_tokio_postgres::<OpenSsl>();
}

/// By a `ClientConfig`, which stores nothing for 30 seconds after a rotation.
#[test]
fn in_reqwest() {
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let (server, source, clock) = (https_server(protocol), source(), clock());
        let builder = builder::<Rustls>(false).client_credentials(Arc::clone(&source));
        let connector = builder.clock(clock.clone()).build();
        let config = connector.expect("valid settings").client_config();
        let client = reqwest::Client::builder().tls_backend_preconfigured(config);
        let client = client.pool_max_idle_per_host(0).build().expect("a client");
        // At connection 2 the first 30 seconds are over.
        rotate(&source, 3, || {
            let answered = runtime.block_on(async {
                let answer = client.get(server.url()).send().await?;
                answer.text().await
            });
            assert_eq!(answered.expect("an answer"), "hello\n");
            clock.advance(Duration::from_secs(15));
            last(&server)
        });
    }
}

/// A real nats-server reports the certificate; a proxy sees whether it resumed.
#[test]
fn in_async_nats() {
    let runtime = Runtime::new().expect("a runtime");
    let server = NatsServer::start_with(authority(), true);
    let proxy = RecordingProxy::start(server.address);
    let (source, clock) = (source(), clock());
    let builder = builder::<Rustls>(false).client_credentials(Arc::clone(&source));
    let connector = builder.clock(clock.clone()).build();
    let config = connector.expect("valid settings").client_config();
    // At connection 2 the first 30 seconds are over.
    rotate(&source, 3, || {
        let leaf = runtime.block_on(async {
            let options = ConnectOptions::new().tls_client_config(config.clone());
            let url = format!("tls://localhost:{}", proxy.port);
            let connecting = options.require_tls(true).connect(url);
            let client = connecting.await.expect("a connection");
            client.flush().await.expect("an answer");
            let leaf = nats_client(server.monitor);
            client.drain().await.expect("an end");
            leaf
        });
        clock.advance(Duration::from_secs(15));
        let resumed = *proxy.resumed().last().expect("a connection");
        Seen { resumed, leaf }
    });
}

/// The certificate's fingerprint of the client that connected last.
fn nats_client(monitor: SocketAddr) -> String {
    let mut http = TcpStream::connect(monitor).expect("a connection");
    http.write_all(b"GET /connz?auth=1 HTTP/1.0\r\n\r\n")
        .expect("a write");
    let mut response = String::new();
    http.read_to_string(&mut response).expect("a response");
    let (_, body) = response.split_once("\r\n\r\n").expect("a body");
    let clients: Value = serde_json::from_str(body).expect("JSON");
    let clients = clients["connections"].as_array().expect("clients");
    let last = clients.iter().max_by_key(|client| client["cid"].as_u64());
    let leaf = last.expect("a client")["tls_peer_certs"][0]["cert_sha256"].as_str();
    leaf.expect("a certificate").to_owned()
}
