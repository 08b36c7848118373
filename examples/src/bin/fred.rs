//! fred with our sessions, over TLS: `fred redis://localhost:6379/ roots.pem`.
//!
//! With `rediss`, fred would first make a configuration of its own, by the process's default provider, and
//! panic if there is none.

use fred::prelude::{Builder, ClientLike, Config, KeysInterface};
use fred::types::config::TlsConnector;
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let mut config = Config::from_url(&url)?;
        config.tls = Some(TlsConnector::from(connector.client_config()).into());
        let client = Builder::from_config(config).build()?;
        client.init().await?;
        println!("{}", client.incr::<u64, _>("visits").await?);
        client.quit().await?;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
