//! lapin with our sessions: `amqp amqps://guest:guest@localhost:5671/%2f roots.pem`.

use lapin::options::QueueDeclareOptions;
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let tls = RustlsConnector::from(connector.client_config());
        let connection = Connection::connector(
            url.parse()?,
            lapin::runtime::default_runtime()?,
            async move |uri: AMQPUri, runtime| {
                let host = uri.authority.host;
                let addresses = runtime.to_socket_addrs((host.clone(), uri.authority.port));
                let tcp = AsyncTcpStream::connect(&runtime, addresses).await?;
                Ok(tcp.into_rustls(&tls, &host).await?)
            },
            ConnectionProperties::default(),
        )
        .await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions::default();
        let queue = channel.queue_declare("greetings".into(), options, FieldTable::default());
        println!("{}", queue.await?.name());
        connection.close(200, "OK".into()).await?;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
