//! The HTTP client of AWS's SDKs with our sessions, called as an SDK does:
//! `aws https://example.com/ roots.pem`.

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use examples::aws::ResumingClient;
use http_body_util::BodyExt;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let client = SharedHttpConnector::new(ResumingClient::new(&connector)); // a new pool
        let response = client.call(HttpRequest::get(&url)?).await?;
        println!("{:?}", response.into_body().collect().await?.to_bytes());
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
