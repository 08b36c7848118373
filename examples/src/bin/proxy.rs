//! hyper's client through a proxy: `proxy https://example.com/ http://proxy.example:3128 roots.pem`, with
//! a proxy that speaks CONNECT (`http`, or `https`: TLS with the proxy, too) or SOCKS5 (`socks5`).

use std::error::Error;

use http_body_util::BodyExt;
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use tls_resume::Resumption;
use tls_resume::hyper::HttpsConnector;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (url, proxy, roots) = examples::arguments::url_proxy_and_roots()?;
    let target = Connector::builder()
        .roots_pem_file(&roots)
        .alpn(["h2", "http/1.1"])
        .build()?;
    let https = || HttpsConnector::new(&target);
    match proxy.scheme_str() {
        Some("http") => {
            visit(
                &url,
                &https().over(Tunnel::new(proxy, HttpConnector::new())),
            )
            .await
        }
        Some("https") => {
            // A connector of its own: other sessions, and no ALPN, since CONNECT is HTTP/1.1 here.
            let own = Connector::builder().roots_pem_file(roots).build()?;
            visit(
                &url,
                &https().over(Tunnel::new(proxy, HttpsConnector::new(&own))),
            )
            .await?;
            println!("sessions resumed with the proxy: {}", own.stats().resumed);
            Ok(())
        }
        Some("socks5") => {
            let mut tcp = HttpConnector::new();
            tcp.enforce_http(false); // the proxy's URL begins with socks5
            visit(&url, &https().over(SocksV5::new(proxy, tcp))).await
        }
        _ => Err("the proxy's URL must begin with http, https or socks5".into()),
    }
}

/// Makes two requests, each over a connection of its own.
async fn visit<C>(url: &Uri, connector: &C) -> Result<(), Box<dyn Error>>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    for _ in 0..2 {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector.clone());
        let answer = client.get(url.clone()).await?;
        println!("{:?}", answer.extensions().get::<Resumption>());
        answer.into_body().collect().await?;
    }
    Ok(())
}
