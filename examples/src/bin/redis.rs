//! redis-rs with our sessions: `redis redis://localhost:6379/ roots.pem`. The connection uses TLS
//! in spite of the URL: redis-rs accepts `rediss://` only with its own TLS feature.

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo};
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let info = url.into_connection_info()?;
    let ConnectionAddr::Tcp(host, port) = info.addr() else {
        return Err("give a redis:// URL".into());
    };
    let connector = Connector::builder().roots_pem_file(roots).build()?.tokio();
    for _ in 0..2 {
        let stream = connector.connect(host, *port).await?;
        let (mut redis, driver) = MultiplexedConnection::new_with_config(
            info.redis_settings(),
            stream,
            AsyncConnectionConfig::new(),
        )
        .await?;
        let driver = tokio::spawn(driver);
        let visits: u64 = redis.incr("visits", 1).await?;
        println!("{visits}");
        drop(redis);
        driver.await?;
    }
    println!("{} resumed", connector.blocking().stats().resumed);
    Ok(())
}
