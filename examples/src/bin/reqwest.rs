//! reqwest with our sessions: `reqwest https://example.com/ roots.pem`.

use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder()
        .roots_pem_file(roots)
        .alpn(["h2"])
        .build()?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(connector.client_config())
        .pool_max_idle_per_host(0) // connects again for each request
        .build()?;
    for _ in 0..2 {
        println!("{:?}", client.get(&url).send().await?.bytes().await?);
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
