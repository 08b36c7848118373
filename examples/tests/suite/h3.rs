//! HTTP/3 by h3 over quinn, against h3's own server.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use examples::h3::{Answer, visit};
use hyper::http::{Request, Response};
use lab::certificate::{Authority, KeyKind};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use tls_resume::quinn::Client;
use tls_resume::rustls::Connector;

use crate::quinn::server_tls;

/// The largest header section that the server accepts, in bytes.
const LIMIT: u64 = 300;

struct Server {
    authority: Authority,
    address: SocketAddr,
    endpoint: Endpoint,
}

impl Server {
    fn start() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let config = config(&authority);
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).expect("a port");
        let address = endpoint.local_addr().expect("an address");
        tokio::spawn(serve(endpoint.clone()));
        Self {
            authority,
            address,
            endpoint,
        }
    }

    /// Forgets all sessions.
    fn restart(&self) {
        self.endpoint
            .set_server_config(Some(config(&self.authority)));
    }

    fn client(&self) -> Client {
        let builder = Connector::builder().roots([self.authority.root_der()]);
        let connector = builder.alpn(["h3"]).early_data(true).build();
        Client::new(&connector.expect("valid settings")).expect("QUIC")
    }

    fn request(&self) -> hyper::http::request::Builder {
        Request::get(format!("https://localhost:{}/", self.address.port()))
    }
}

fn config(authority: &Authority) -> ServerConfig {
    let identity = authority.issue(&["localhost"]);
    let mut tls = server_tls(&identity, "h3");
    // The answer to early data may come before the handshake is done, and tickets come after it: each of
    // these connections may bring none.
    tls.send_tls13_tickets = 8;
    let tls = QuicServerConfig::try_from(tls).expect("QUIC");
    ServerConfig::with_crypto(Arc::new(tls))
}

async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let accepting = incoming.accept().expect("a connection");
            // Accepts early data.
            let connection = match accepting.into_0rtt() {
                Ok((connection, _)) => connection,
                Err(accepting) => match accepting.await {
                    Ok(connection) => connection,
                    Err(_) => return,
                },
            };
            let quic = h3_quinn::Connection::new(connection);
            let mut builder = h3::server::builder();
            let accepted = builder
                .max_field_section_size(LIMIT)
                .build::<_, bytes::Bytes>(quic);
            let Ok(mut connection) = accepted.await else {
                return;
            };
            while let Ok(Some(resolver)) = connection.accept().await {
                let Ok((_, mut stream)) = resolver.resolve_request().await else {
                    continue;
                };
                let _ = stream.send_response(Response::new(())).await;
                let _ = stream.finish().await;
            }
        });
    }
}

fn endpoint() -> Endpoint {
    Endpoint::client("127.0.0.1:0".parse().unwrap()).expect("a port")
}

const FULL: Answer = Answer {
    status: 200,
    early: false,
    remembered_limit: None,
};
const EARLY: Answer = Answer {
    status: 200,
    early: true,
    remembered_limit: Some(LIMIT),
};

#[tokio::test]
async fn requests_go_early_under_remembered_settings() {
    let (server, endpoint) = (Server::start(), endpoint());
    let (client, at) = (server.client(), ("localhost", server.address));
    for expected in [FULL, EARLY, EARLY, EARLY] {
        let request = server.request().body(()).expect("a request");
        let answer = visit(&client, &endpoint, at, request).await;
        assert_eq!(answer.expect("an answer"), expected);
    }
}

/// The limit is kept before the server has said anything.
#[tokio::test]
async fn a_request_above_the_remembered_limit_is_not_sent() {
    let (server, endpoint) = (Server::start(), endpoint());
    let (client, at) = (server.client(), ("localhost", server.address));
    let request = server.request().body(()).expect("a request");
    let first = visit(&client, &endpoint, at, request).await;
    assert_eq!(first.expect("an answer"), FULL);
    let long = "x".repeat(usize::try_from(LIMIT).expect("a length"));
    let request = server.request().header("cookie", &long).body(());
    let answer = visit(&client, &endpoint, at, request.expect("a request")).await;
    let error = answer.expect_err("too large").to_string();
    assert!(error.to_lowercase().contains("header"), "{error}");
}

#[tokio::test]
async fn rejected_early_data_is_sent_again() {
    let (server, endpoint) = (Server::start(), endpoint());
    let (client, at) = (server.client(), ("localhost", server.address));
    let mut answers = Vec::new();
    for count in 0..4 {
        if count == 2 {
            server.restart();
        }
        let request = server.request().body(()).expect("a request");
        let answer = visit(&client, &endpoint, at, request).await;
        answers.push(answer.expect("an answer"));
    }
    let rejected = Answer {
        early: false,
        ..EARLY
    };
    assert_eq!(answers, [FULL, EARLY, rejected, EARLY]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_early_requests() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, server.authority.root_pem()).expect("a file");
    let url = format!("https://localhost:{}/", server.address.port());
    let program = env!("CARGO_BIN_EXE_h3");
    let run = move || Command::new(program).arg(url).arg(roots).output();
    let output = tokio::task::spawn_blocking(run).await.expect("it ran");
    let output = output.expect("it ran");
    let shown = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = shown.lines().collect();
    let early = format!("200 early: true, remembered limit: Some({LIMIT})");
    let expected = ["200 early: false, remembered limit: None", &early, &early];
    assert_eq!(lines, expected, "{errors}");
}
