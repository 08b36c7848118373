//! R38: client certificates that rotate in clients of other crates. 200 connections over 5 rotations
//! are never of an old identity, and resume with the current one.

use std::sync::Arc;
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::certificate::Identity;
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, ClientCredential, RotatingCredential, ureq};
use tokio::runtime::Runtime;

use super::common::{authority, builder, clock, settings};
use super::lettre::visit as visit_smtp;
use super::starttls_server::{Before, StartTlsServer};

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

/// Connects, and rotates in between. `visit` returns what the server saw last; the first `full`
/// connections with a certificate do not resume.
fn rotate(source: &RotatingCredential, full: usize, mut visit: impl FnMut() -> Handshake) {
    for _ in 0..ROTATIONS {
        let identity = identity();
        source.set(credential(&identity));
        for count in 0..CONNECTIONS {
            let seen = visit();
            let leaf = seen.client_leaf.as_deref();
            assert_eq!(leaf, Some(&identity.chain[0][..]), "another identity");
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
            let got = agent.get(server.url()).call();
            let text = got.expect("an answer").body_mut().read_to_string();
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

fn in_lettre<B: tls_resume::tokio::Backend>() {
    let runtime = Runtime::new().expect("a runtime");
    let tls = TcpServer::start(demanding(Protocol::Tls13)).expect("a port");
    let (server, source) = (StartTlsServer::start(Before::Smtp, tls.address()), source());
    let connector = connector::<B>(&source);
    let mut handshakes = 0;
    rotate(&source, 1, || {
        let visited = runtime.block_on(visit_smtp(&connector, server.port()));
        visited.expect("a connection");
        handshakes += 1;
        let mut seen = tls.wait_for_handshakes(handshakes, LONG);
        seen.pop().expect("a handshake")
    });
}

#[test]
fn in_lettre_on_each_backend() {
    in_lettre::<Rustls>();
    in_lettre::<OpenSsl>();
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
