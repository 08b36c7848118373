//! QUIC by quinn with our sessions: `quinn https://example.com:4433/ roots.pem`.

use std::net::SocketAddr;

use quinn::Connection;
use tls_resume::{quinn::client_config, rustls::Connector};

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
        .alpn(["echo"])
        .early_data(true)
        .build()?;
    let mut endpoint = quinn::Endpoint::client("0.0.0.0:0".parse()?)?;
    endpoint.set_default_client_config(client_config(&connector)?);
    for _ in 0..3 {
        // With a session the data is sent early. It must be safe to replay.
        let (connection, accepted) = match endpoint.connect(address, host)?.into_0rtt() {
            Ok((connection, accepted)) => (connection, Some(accepted)),
            Err(connecting) => (connecting.await?, None),
        };
        let mut answer = echo(&connection).await;
        let early = match accepted {
            Some(accepted) => accepted.await,
            None => false,
        };
        if answer.is_err() && !early {
            // The server rejected the early data, which is lost with its streams.
            answer = echo(&connection).await;
        }
        println!("{} early: {early}", String::from_utf8(answer?)?);
        connection.close(0u8.into(), b"");
        endpoint.wait_idle().await;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}

async fn echo(connection: &Connection) -> Result<Vec<u8>> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(b"hello").await?;
    send.finish()?;
    Ok(receive.read_to_end(64).await?)
}
