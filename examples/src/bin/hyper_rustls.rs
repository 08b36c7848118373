//! hyper's client on rustls: `hyper_rustls https://example.com/ roots.pem`.

use http_body_util::BodyExt;
use tls_resume::{Resumption, hyper, rustls::Connector};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, pem) = examples::arguments::url_and_roots()?;
    let http = [b"h2".to_vec(), b"http/1.1".to_vec()];
    let builder = Connector::builder().roots_pem_file(pem);
    let connector = builder.alpn(http).build()?;
    for _ in 0..2 {
        let client = hyper::client::<_, String>(&connector); // has its own pool: connects anew
        let answer = client.get(url.parse()?).await?;
        println!("{:?}", answer.extensions().get::<Resumption>());
        answer.into_body().collect().await?;
    }
    Ok(())
}
