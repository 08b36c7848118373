//! AMQP by lapin, with `RabbitMQ`. A proxy sees whether it resumes. Not run by default: the server takes
//! ten seconds or more to start. `./scripts/check` runs it, or
//! `cargo test -p examples --test suite -- --ignored amqp`.

use std::net::SocketAddr;

use lab::rabbitmq::RabbitMqServer;
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tls_resume::Protocol;
use tls_resume::rustls::Rustls;

use super::common::{PROTOCOLS, connector, identity, run};
use crate::recording_proxy::RecordingProxy;

async fn visit(tls: RustlsConnector, port: u16) {
    let url = format!("amqps://guest:guest@localhost:{port}/%2f");
    let connecting = Connection::connector(
        url.parse().expect("a URL"),
        lapin::runtime::default_runtime().expect("tokio"),
        async move |uri: AMQPUri, runtime| {
            let address = SocketAddr::from(([127, 0, 0, 1], uri.authority.port));
            let tcp = AsyncTcpStream::connect(&runtime, address).await?;
            Ok(tcp.into_rustls(&tls, &uri.authority.host).await?)
        },
        ConnectionProperties::default(),
    );
    let connection = connecting.await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.close(200, "OK".into()).await.expect("a reply");
    let closed = connection.close(200, "OK".into()).await;
    closed.expect("a farewell");
}

/// In TLS 1.2: `RabbitMQ` issues no TLS 1.3 tickets by default.
#[test]
#[ignore = "RabbitMQ takes long to start"]
fn a_client_config_resumes() {
    let rabbitmq = RabbitMqServer::start(&identity()).expect("a RabbitMQ");
    let proxy = RecordingProxy::start(([127, 0, 0, 1], rabbitmq.port()).into());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for protocol in PROTOCOLS {
        let connector = connector::<Rustls>(protocol);
        let config = connector.client_config();
        for _ in 0..2 {
            runtime.block_on(visit(config.clone().into(), proxy.port));
        }
        let stored = connector.stats().stored;
        assert_eq!(stored > 0, protocol == Protocol::Tls12, "{stored}");
    }
    assert_eq!(proxy.resumed(), [false, true, false, false]);
    let url = format!("amqps://guest:guest@localhost:{}/%2f", rabbitmq.port());
    let written = run(env!("CARGO_BIN_EXE_amqp"), &url);
    assert_eq!(written, ["greetings", "greetings", "sessions offered: 0"]);
}
