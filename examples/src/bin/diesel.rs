//! diesel-async with our sessions:
//! `diesel "host=localhost port=6432 user=me password=secret sslmode=require" roots.pem`.

use diesel::sql_types::Integer;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
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
        let mut diesel =
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        let answer = diesel::select(diesel::dsl::sql::<Integer>("6 * 7"));
        println!("{}", answer.get_result::<i32>(&mut diesel).await?);
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
