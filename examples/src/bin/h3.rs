//! HTTP/3 by h3 with our sessions: `h3 https://example.com:4433/ roots.pem`.

use std::net::SocketAddr;

use examples::h3::visit;
use hyper::http::Request;
use tls_resume::{quinn::Client, rustls::Connector};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let url: hyper::Uri = url.parse()?;
    let (host, port) = (url.host().ok_or("no host")?, url.port_u16().unwrap_or(443));
    let mut addresses = tokio::net::lookup_host((host, port)).await?;
    let address = addresses.find(SocketAddr::is_ipv4).ok_or("no address")?;

    let connector = Connector::builder()
        .roots_pem_file(roots)
        .alpn(["h3"])
        .early_data(true)
        .build()?;
    let client = Client::new(&connector)?;
    let endpoint = quinn::Endpoint::client("0.0.0.0:0".parse()?)?;
    for _ in 0..3 {
        // It must be safe to replay.
        let request = Request::get(&url).body(())?;
        let answer = visit(&client, &endpoint, (host, address), request).await?;
        let limit = answer.remembered_limit;
        println!(
            "{} early: {}, remembered limit: {limit:?}",
            answer.status, answer.early
        );
        endpoint.wait_idle().await;
    }
    Ok(())
}
