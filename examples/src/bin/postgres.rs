//! tokio-postgres with our sessions:
//! `postgres "host=localhost port=6432 user=me password=secret sslmode=require" roots.pem`.

use tls_resume::postgres::MakeTlsConnector;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let server: tokio_postgres::Config = server.parse()?;
    let port = server.get_ports().first().copied().unwrap_or(5432);
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let tls = MakeTlsConnector::new(&connector).port(port);
        let (client, connection) = server.connect(tls).await?;
        let connection = tokio::spawn(connection);
        let rows = client.query("SELECT 6 * 7", &[]).await?;
        println!("{}", rows[0].get::<_, i32>(0));
        drop(client);
        connection.await??;
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
