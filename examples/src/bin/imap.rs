//! async-imap with our sessions: `imap localhost:993 roots.pem` logs in as `me`.

use async_imap::Client;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let connector = Connector::builder().roots_pem_file(roots).build()?.tokio();
    for _ in 0..2 {
        let stream = connector.connect(host, port.parse()?).await?;
        let mut client = Client::new(stream);
        client.read_response().await?.ok_or("no greeting")?;
        let login = client.login("me", "secret").await;
        let mut session = login.map_err(|(error, _)| error)?;
        println!("{} mails", session.select("INBOX").await?.exists);
        session.logout().await?;
    }
    println!("{} resumed", connector.blocking().stats().resumed);
    Ok(())
}
