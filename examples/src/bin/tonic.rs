//! tonic on rustls: `tonic https://localhost:50051/ roots.pem` checks a server's health twice.

use tls_resume::hyper::HttpsConnector;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder()
        .roots_pem_file(roots)
        .alpn(["h2"])
        .build()?;
    for _ in 0..2 {
        let https = HttpsConnector::new(&connector);
        let channel = Endpoint::new(url.clone())?
            .connect_with_connector(https)
            .await?;
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel).check(request).await?;
        println!("{:?}", answer.into_inner().status());
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
