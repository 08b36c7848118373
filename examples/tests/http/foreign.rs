//! hyper-rustls, which makes its connections itself, with a configuration of ours.

use examples::serve::Site;
use http_body_util::BodyExt;
use hyper::Version;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lab::server::{Library, Protocol};
use tls_resume::rustls::Connector;

use crate::programs::assert_second_resumed;

#[tokio::test]
async fn hyper_rustls_resumes() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let site = Site::start(library, protocol, &["h2", "http/1.1"]).expect("a free port");
            let connector = Connector::builder().roots_pem_file(site.roots()).build();
            let connector = connector.expect("valid settings");
            for _ in 0..2 {
                let https = HttpsConnectorBuilder::new()
                    .with_tls_config(connector.client_config())
                    .https_only()
                    .enable_all_versions()
                    .build();
                let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(https);
                let answer = client.get(site.url().parse().expect("a URL")).await;
                let body = answer.expect("an answer").into_body().collect().await;
                assert_eq!(body.expect("a body").to_bytes(), "hello\n");
            }
            assert_second_resumed(&site, protocol);
            assert_eq!(site.requests(), [Version::HTTP_2; 2]);
        }
    }
}
