//! WebSocket by tokio-tungstenite, with nginx in front of the server. nginx reports resumptions.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use lab::nginx::NginxServer;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_tungstenite::{
    Connector, WebSocketStream, accept_async, client_async, connect_async_tls_with_config,
};

use super::common::{PROTOCOLS, connector, identity, run};

/// Starts a server without TLS that echoes messages, and nginx in front of it. The server runs as
/// long as the runtime.
async fn start() -> NginxServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(tcp).await else {
                    return; // nginx is checked for listening
                };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() {
                        socket.send(message).await.expect("a client");
                    }
                }
            });
        }
    });
    NginxServer::proxy(&identity(), port).expect("an nginx")
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    socket.send("hello".into()).await.expect("a server");
    let message = socket.next().await.expect("a message").expect("an echo");
    assert_eq!(message.to_text().expect("text"), "hello");
    socket.close(None).await.expect("a server");
    while let Some(Ok(_)) = socket.next().await {} // until the server closes, too
}

/// Over a stream of a connector.
async fn resumes<B: Backend>() {
    let nginx = start().await;
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol).tokio();
        for _ in 0..2 {
            let stream = connector.connect("localhost", nginx.port()).await;
            let url = format!("wss://localhost:{}/", nginx.port());
            let socket = client_async(url, stream.expect("TLS")).await;
            echo(socket.expect("a WebSocket").0).await;
        }
    }
    let resumed = nginx.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

on_both_backends!(resumes);

/// The crate connects by itself, with our configuration.
#[tokio::test]
async fn a_client_config_resumes() {
    let nginx = start().await;
    for protocol in PROTOCOLS {
        let config = Arc::new(connector::<Rustls>(protocol).client_config());
        for _ in 0..2 {
            let url = format!("wss://localhost:{}/", nginx.port());
            let tls = Some(Connector::Rustls(Arc::clone(&config)));
            let socket = connect_async_tls_with_config(url, None, true, tls).await;
            echo(socket.expect("a WebSocket").0).await;
        }
    }
    let resumed = nginx.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_resumes() {
    let nginx = start().await;
    let url = format!("wss://localhost:{}/", nginx.port());
    let program = move || run(env!("CARGO_BIN_EXE_websocket"), &url);
    let written = tokio::task::spawn_blocking(program).await.expect("it runs");
    assert_eq!(written, ["hello", "hello", "1 resumed"]);
    assert_eq!(nginx.resumed(2).expect("its log"), [false, true]);
}
