//! QUIC by quinn with our sessions: `quinn https://example.com:4433/ roots.pem`.

use quinn::Connection;
use tls_resume::{quinn::client_config, rustls::Connector};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let url: hyper::Uri = url.parse()?;
    let (host, port) = (url.host().ok_or("no host")?, url.port_u16().unwrap_or(443));
    let server = tokio::net::lookup_host((host, port))
        .await?
        .find(std::net::SocketAddr::is_ipv4);
    let server = server.ok_or("no address")?;

    let builder = Connector::builder().roots_pem_file(roots);
    let connector = builder.alpn(["echo"]).early_data(true).build()?;
    let mut endpoint = quinn::Endpoint::client("0.0.0.0:0".parse()?)?;
    endpoint.set_default_client_config(client_config(&connector)?);
    for _ in 0..3 {
        // At once if there is a session, with what may be played again; else after the handshake.
        let (connection, accepted) = match endpoint.connect(server, host)?.into_0rtt() {
            Ok((connection, accepted)) => (connection, Some(accepted)),
            Err(connecting) => (connecting.await?, None),
        };
        let mut answer = ask(&connection).await;
        let early = match accepted {
            Some(accepted) => accepted.await,
            None => false,
        };
        if answer.is_err() && !early {
            // What the server did not take early is lost with its streams: asked again.
            answer = ask(&connection).await;
        }
        println!("{} early: {early}", String::from_utf8(answer?)?);
        connection.close(0u8.into(), b"");
        endpoint.wait_idle().await;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}

async fn ask(connection: &Connection) -> Fallible<Vec<u8>> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(b"hello").await?;
    send.finish()?;
    Ok(receive.read_to_end(64).await?)
}
