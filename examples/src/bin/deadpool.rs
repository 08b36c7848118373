//! deadpool-postgres with our sessions:
//! `deadpool "host=localhost port=6432 user=me password=secret sslmode=require" roots.pem`.

use deadpool_postgres::{Manager, Pool};
use tls_resume::postgres::MakeTlsConnector;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let server: tokio_postgres::Config = server.parse()?;
    let port = server.get_ports().first().copied().unwrap_or(5432);
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let tls = MakeTlsConnector::new(&connector).port(port);
    let pool = Pool::builder(Manager::new(server, tls))
        .max_size(2)
        .build()?;
    let mut clients = Vec::new(); // held, so that the pool connects again
    for _ in 0..2 {
        let client = pool.get().await?;
        let row = client.query_one("SELECT 6 * 7", &[]).await?;
        println!("{}", row.get::<_, i32>(0));
        clients.push(client);
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
