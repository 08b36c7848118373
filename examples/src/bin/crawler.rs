//! A crawler: visits the URLs on standard input, 16 at a time: `crawler [ROOTS.pem] < URLS`.

use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use tls_resume::{Limits, Resumption, hyper, rustls::Connector};
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Many servers, few connections to each, 512 MiB at most.
    let limits = Limits::default()
        .with_servers(200_000)
        .with_sessions_per_server(4)
        .with_bytes(16 * 1024, 64 * 1024, 512 * 1024 * 1024);
    let mut builder = Connector::builder()
        .limits(limits)
        .alpn(["h2", "http/1.1"])
        .timeout(Duration::from_secs(10));
    if let Some(roots) = std::env::args().nth(1) {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;

    let mut visits = JoinSet::new();
    for url in io::stdin().lines() {
        if visits.len() == 16 {
            visits.join_next().await;
        }
        visits.spawn(report(connector.clone(), url?));
    }
    visits.join_all().await;
    let stats = connector.stats();
    println!("{} resumed, {} bytes", stats.resumed, stats.bytes);
    Ok(())
}

async fn report(connector: Connector, url: String) {
    match visit(&connector, &url).await {
        Ok(resumption) => println!("{url} {resumption:?}"),
        Err(error) => eprintln!("{url}: {error}"),
    }
}

/// Requests a page, and reads it to its end: tickets arrive with the answer.
async fn visit(connector: &Connector, url: &str) -> Result<Resumption, Error> {
    let client = hyper::client::<_, String>(connector); // keeps no connection for the next page
    let answer = client.get(url.parse()?).await?;
    let resumption = answer.extensions().get::<Resumption>().copied();
    answer.into_body().collect().await?;
    resumption.ok_or_else(|| "not over TLS".into())
}
