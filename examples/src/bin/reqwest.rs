//! reqwest with our sessions: `reqwest URL [ROOTS.pem]`.

use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give a URL")?;
    let mut builder = Connector::builder().alpn(["h2", "http/1.1"]);
    if let Some(roots) = arguments.next() {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(connector.client_config())
        .pool_max_idle_per_host(0) // connects again for each request, to show it
        .build()?;
    for _ in 0..2 {
        println!("{:?}", client.get(&url).send().await?.bytes().await?);
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
