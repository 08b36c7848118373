//! On smol, or another runtime than tokio: `smol localhost:443 roots.pem`. async-compat lends tokio's
//! timers and sockets to a future, and makes futures-io's streams of tokio's.

use async_compat::{Compat, CompatExt};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

async fn visit() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let connector = Connector::builder().roots_pem_file(roots).build()?.tokio();
    for _ in 0..2 {
        let mut stream = connector.connect(host, port.parse()?).await?.compat();
        let request = format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        println!("{}", response.lines().next().ok_or("no response")?);
        stream.close().await?;
    }
    println!("{} resumed", connector.blocking().stats().resumed);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(Compat::new(visit()))
}
