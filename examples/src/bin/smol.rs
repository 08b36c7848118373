//! On smol, with sockets and timers of its own: `smol localhost:443 roots.pem`.

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

async fn visit() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let connector = connector.futures(smol::Timer::after);
    for _ in 0..2 {
        let tcp = TcpStream::connect(&server).await?;
        let mut stream = connector.connect_stream(host, port.parse()?, tcp).await?;
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
    smol::block_on(visit())
}
