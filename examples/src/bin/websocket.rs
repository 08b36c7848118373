//! tokio-tungstenite with our sessions: `websocket wss://example.com/ roots.pem`.

use futures_util::{SinkExt, StreamExt};
use hyper::Uri;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let uri: Uri = url.parse()?;
    let (host, port) = (uri.host().ok_or("no host")?, uri.port_u16().unwrap_or(443));
    let connector = Connector::builder().roots_pem_file(roots).build()?.tokio();
    for _ in 0..2 {
        let stream = connector.connect(host, port).await?;
        let (mut socket, _) = tokio_tungstenite::client_async(&url, stream).await?;
        socket.send("hello".into()).await?;
        println!("{}", socket.next().await.ok_or("no message")??);
        socket.close(None).await?;
    }
    println!("{} resumed", connector.blocking().stats().resumed);
    Ok(())
}
