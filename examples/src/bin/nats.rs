//! async-nats with our sessions: `nats tls://localhost:4222 roots.pem`.

use async_nats::ConnectOptions;
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let options = ConnectOptions::new().tls_client_config(connector.client_config());
        let client = options.require_tls(true).connect(&url).await?;
        client.publish("greetings", "hello".into()).await?;
        client.drain().await?;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
