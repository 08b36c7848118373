//! hyper's client on rustls: `hyper_rustls https://example.com/ roots.pem`.

use http_body_util::BodyExt;
use tls_resume::{Resumption, hyper, rustls::Connector};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder()
        .roots_pem_file(roots)
        .alpn(["h2", "http/1.1"])
        .build()?;
    for _ in 0..2 {
        let client = hyper::client::<_, String>(&connector); // a new pool: connects again
        let answer = client.get(url.parse()?).await?;
        println!("{:?}", answer.extensions().get::<Resumption>());
        answer.into_body().collect().await?;
    }
    Ok(())
}
