//! lettre with our sessions, after STARTTLS: `smtp localhost:25 roots.pem` sends two mails.

use lettre::Message;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tls_resume::lettre::connect_starttls;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let client_id = ClientId::Domain("localhost".to_owned());
    for number in 1..=2 {
        let mail = Message::builder()
            .from("me@localhost".parse()?)
            .to("you@localhost".parse()?)
            .subject(format!("mail {number}"))
            .body("hello\r\n".to_owned())?;
        let stream = connect_starttls(&connector, host, port.parse()?, &client_id).await?;
        let mut smtp =
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &client_id).await?;
        let answer = smtp.send(mail.envelope(), &mail.formatted()).await?;
        println!("{}", answer.code());
        smtp.quit().await?;
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
