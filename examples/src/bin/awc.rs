//! awc with our sessions: `awc https://example.com/ roots.pem`.

use std::sync::Arc;

use awc::Client;
use tls_resume::rustls::Connector;
use tokio::task::LocalSet;

async fn visit() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder()
        .roots_pem_file(roots)
        .alpn(["h2", "http/1.1"])
        .build()?;
    let config = Arc::new(connector.client_config());
    for _ in 0..2 {
        let tls = awc::Connector::new().rustls_0_23(Arc::clone(&config));
        let client = Client::builder().connector(tls).finish(); // a new pool: connects again
        println!("{:?}", client.get(&url).send().await?.body().await?);
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}

/// awc needs actix's runtime, or this set of tasks in tokio's.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    LocalSet::new().run_until(visit()).await
}
