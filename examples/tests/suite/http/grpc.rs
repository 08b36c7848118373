//! gRPC: tonic's client with our connector, and tonic's health service.

use examples::serve::HttpsServer;
use hyper::{Uri, Version};
use hyper_util::service::TowerToHyperService;
use lab::server::{Library, Protocol};
use tls_resume::hyper::HttpsConnector;
use tls_resume::openssl::Connector;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::Service;

use super::programs::{assert_second_resumed, run};

/// An HTTP/2 server with the health service.
fn health_server(library: Library, protocol: Protocol) -> HttpsServer {
    let (_, health) = tonic_health::server::health_reporter();
    let health = TowerToHyperService::new(health);
    HttpsServer::start_with(library, protocol, &["h2"], health).expect("a free port")
}

#[test]
fn the_program_resumes() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = health_server(library, protocol);
            let written = run(env!("CARGO_BIN_EXE_tonic"), &server);
            assert_second_resumed(&server, protocol);
            assert_eq!(server.requests(), [Version::HTTP_2; 2]);
            assert_eq!(written, ["Serving", "Serving", "1 resumed"]);
        }
    }
}

fn connector(server: &HttpsServer) -> Connector {
    let builder = Connector::builder().alpn([b"h2".to_vec()]);
    let built = builder.roots_pem_file(server.roots()).build();
    built.expect("valid settings")
}

/// Asks for the server's health.
async fn check(channel: Channel) {
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(channel).check(request).await;
    let status = answer.expect("an answer").into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
}

#[tokio::test]
async fn a_lazy_channel_resumes_at_its_first_call() {
    let server = health_server(Library::OpenSsl, Protocol::Tls13);
    let connector = connector(&server);
    for _ in 0..2 {
        let endpoint = Endpoint::new(server.url()).expect("a URL");
        let https = HttpsConnector::new(&connector);
        check(endpoint.connect_with_connector_lazy(https)).await;
    }
    assert_second_resumed(&server, Protocol::Tls13);
    assert_eq!(connector.stats().resumed, 1);
}

/// A workaround for endpoints whose `https://` is handled by tonic itself.
#[tokio::test]
async fn tonic_resumes_with_an_http_endpoint() {
    let server = health_server(Library::Rustls, Protocol::Tls12);
    let connector = connector(&server);
    for _ in 0..2 {
        let uri: Uri = server.url().parse().expect("a URL");
        let target = uri.clone();
        let mut https = HttpsConnector::new(&connector);
        let connect = tower::service_fn(move |_| https.call(target.clone()));
        let plain = server.url().replace("https:", "http:");
        let endpoint = Endpoint::new(plain).expect("a URL").origin(uri);
        let channel = endpoint.connect_with_connector(connect).await;
        check(channel.expect("a connection")).await;
    }
    assert_second_resumed(&server, Protocol::Tls12);
}
