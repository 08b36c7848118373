//! The HTTP client of AWS's SDKs, with nginx, which reports resumptions.

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use examples::aws::ResumingClient;
use http_body_util::BodyExt;
use lab::nginx::NginxServer;
use tls_resume::tokio::Backend;

use super::common::{PROTOCOLS, connector, identity, run};

async fn resumes<B: Backend>() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let url = format!("https://localhost:{}/", nginx.port());
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        for _ in 0..2 {
            let client = ResumingClient::new(&connector); // a new pool
            let request = HttpRequest::get(&url).expect("a URL");
            let response = client.call(request).await.expect("a response");
            let body = response.into_body().collect().await.expect("a body");
            assert_eq!(body.to_bytes(), "hello\n");
        }
    }
    let resumed = nginx.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

on_both_backends!(resumes);

#[test]
fn the_program_resumes() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let url = format!("https://localhost:{}/", nginx.port());
    let written = run(env!("CARGO_BIN_EXE_aws"), &url);
    assert_eq!(written, ["b\"hello\\n\"", "b\"hello\\n\"", "1 resumed"]);
    assert_eq!(nginx.resumed(2).expect("its log"), [false, true]);
}
