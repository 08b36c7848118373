//! gRPC: tonic with our connector in it, against a service of tonic's.

use examples::serve::Site;
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

use crate::programs::{assert_second_resumed, run};

/// A server that says of itself that it is well, and speaks HTTP/2 alone.
fn well(library: Library, protocol: Protocol) -> Site {
    let (_, health) = tonic_health::server::health_reporter();
    let health = TowerToHyperService::new(health);
    Site::serving(library, protocol, &["h2"], health).expect("a free port")
}

#[test]
fn the_program_resumes() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let site = well(library, protocol);
            let written = run(env!("CARGO_BIN_EXE_tonic"), &site);
            assert_second_resumed(&site, protocol);
            assert_eq!(site.requests(), [Version::HTTP_2; 2]);
            assert_eq!(written, ["Serving", "Serving", "1 resumed"]);
        }
    }
}

fn connector(site: &Site) -> Connector {
    let builder = Connector::builder().alpn([b"h2".to_vec()]);
    let built = builder.roots_pem_file(site.roots()).build();
    built.expect("valid settings")
}

/// Asks the server over a channel whether it is well.
async fn ask(channel: Channel) {
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(channel).check(request).await;
    let status = answer.expect("an answer").into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
}

#[tokio::test]
async fn tonic_on_openssl_resumes_when_it_first_asks() {
    let site = well(Library::OpenSsl, Protocol::Tls13);
    let connector = connector(&site);
    for _ in 0..2 {
        let endpoint = Endpoint::new(site.url()).expect("a URL");
        let https = HttpsConnector::new(&connector);
        ask(endpoint.connect_with_connector_lazy(https)).await;
    }
    assert_second_resumed(&site, Protocol::Tls13);
    assert_eq!(connector.stats().resumed, 1);
}

/// The way round a tonic that takes `https://` for its own affair.
#[tokio::test]
async fn tonic_resumes_behind_an_endpoint_of_http() {
    let site = well(Library::Rustls, Protocol::Tls12);
    let connector = connector(&site);
    for _ in 0..2 {
        let uri: Uri = site.url().parse().expect("a URL");
        let there = uri.clone();
        let mut https = HttpsConnector::new(&connector);
        let telling = tower::service_fn(move |_| https.call(there.clone()));
        let plain = site.url().replace("https:", "http:");
        let endpoint = Endpoint::new(plain).expect("a URL").origin(uri);
        let channel = endpoint.connect_with_connector(telling).await;
        ask(channel.expect("a connection")).await;
    }
    assert_second_resumed(&site, Protocol::Tls12);
}
