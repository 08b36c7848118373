//! hyper-rustls, which makes its own connections, with our `ClientConfig`.

use examples::serve::HttpsServer;
use http_body_util::BodyExt;
use hyper::Version;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lab::server::{Library, Protocol};
use tls_resume::rustls::Connector;

use super::programs::assert_second_resumed;

#[tokio::test]
async fn hyper_rustls_resumes() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server =
                HttpsServer::start(library, protocol, &["h2", "http/1.1"]).expect("a free port");
            let connector = Connector::builder().roots_pem_file(server.roots()).build();
            let connector = connector.expect("valid settings");
            for _ in 0..2 {
                let https = HttpsConnectorBuilder::new()
                    .with_tls_config(connector.client_config())
                    .https_only()
                    .enable_all_versions()
                    .build();
                let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(https);
                let answer = client.get(server.url().parse().expect("a URL")).await;
                let body = answer.expect("an answer").into_body().collect().await;
                assert_eq!(body.expect("a body").to_bytes(), "hello\n");
            }
            assert_second_resumed(&server, protocol);
            assert_eq!(server.requests(), [Version::HTTP_2; 2]);
        }
    }
}
