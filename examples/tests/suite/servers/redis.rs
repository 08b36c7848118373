//! Redis with TLS.

use fred::prelude::{Builder, ClientLike, Config, KeysInterface};
use fred::types::config::TlsConnector;
use lab::redis::{RedisServer, RedisSettings};
use lab::tcp::free_port;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tempfile::TempDir;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;

use super::common::{PROTOCOLS, assert_second_resumed, connector, identity, run};
use crate::recording_proxy::RecordingProxy;

/// Starts a Redis with TLS on a separate port, and its defaults otherwise.
fn start() -> (RedisServer, u16, TempDir) {
    let identity = identity();
    let folder = tempfile::tempdir().expect("a directory");
    let written = |name, text| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    };
    let port = free_port().expect("a port");
    let options = [
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", written("cert.pem", identity.chain_pem())),
        ("--tls-key-file", written("key.pem", identity.key_pem())),
        ("--tls-auth-clients", "no".to_owned()),
    ];
    let options = options.into_iter();
    let settings = RedisSettings {
        options: options
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect(),
        ..RedisSettings::default()
    };
    (
        RedisServer::start_with(settings).expect("a Redis"),
        port,
        folder,
    )
}

async fn resumes<B: Backend>() {
    let (_redis, port, _folder) = start();
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        let tls = connector.tokio();
        for _ in 0..2 {
            let stream = tls.connect("localhost", port).await.expect("a connection");
            let info = RedisConnectionInfo::default();
            let (mut redis, driver) =
                MultiplexedConnection::new_with_config(&info, stream, AsyncConnectionConfig::new())
                    .await
                    .expect("a Redis");
            let driver = tokio::spawn(driver);
            let answer: String = redis::cmd("PING")
                .query_async(&mut redis)
                .await
                .expect("an answer");
            assert_eq!(answer, "PONG");
            drop(redis);
            driver.await.expect("no panic");
        }
        assert_second_resumed(&connector);
    }
}

on_both_backends!(resumes);

/// fred connects by itself, with our configuration; a proxy sees whether it resumes.
#[tokio::test]
async fn fred_resumes() {
    let (_redis, port, _folder) = start();
    let proxy = RecordingProxy::start(([127, 0, 0, 1], port).into());
    for protocol in PROTOCOLS {
        let tls = connector::<Rustls>(protocol).client_config();
        for _ in 0..2 {
            let url = format!("redis://localhost:{}/", proxy.port);
            let mut config = Config::from_url(&url).expect("a URL");
            config.tls = Some(TlsConnector::from(tls.clone()).into());
            let client = Builder::from_config(config).build().expect("a client");
            client.init().await.expect("a connection");
            let visits = client.incr::<u64, _>("visits").await;
            visits.expect("an answer");
            client.quit().await.expect("a farewell");
        }
    }
    assert_eq!(proxy.resumed(), [false, true, false, true]);
}

#[test]
fn the_program_of_fred_resumes() {
    let (_redis, port, _folder) = start();
    let proxy = RecordingProxy::start(([127, 0, 0, 1], port).into());
    let url = format!("redis://localhost:{}/", proxy.port);
    let written = run(env!("CARGO_BIN_EXE_fred"), &url);
    assert_eq!(written, ["1", "2", "sessions offered: 1"]);
    assert_eq!(proxy.resumed(), [false, true]);
}

#[test]
fn the_program_resumes() {
    let (_redis, port, _folder) = start();
    let written = run(
        env!("CARGO_BIN_EXE_redis"),
        &format!("redis://localhost:{port}/"),
    );
    assert_eq!(written, ["1", "2", "1 resumed"]);
}
