//! Delivers a mail by SMTP with STARTTLS, and leaves the sessions in a folder for the next process:
//! `mail HOST:PORT FOLDER [ROOTS.pem]`.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tls_resume::lettre::connect_starttls;
use tls_resume::{ReuseTickets, openssl::Connector};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().ok_or("give HOST:PORT")?;
    let folder = arguments.next().ok_or("give a folder for the sessions")?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let mut builder = Connector::builder()
        .domain("mail-out")
        .store(format!("lmdb:{folder}"))
        .reuse_tickets(ReuseTickets::UntilRenewed);
    if let Some(roots) = arguments.next() {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;

    let mail = Message::builder()
        .from("me@localhost".parse()?)
        .to("you@localhost".parse()?)
        .subject("hello")
        .body("hello\r\n".to_owned())?;
    let me = ClientId::Domain("localhost".to_owned());
    let stream = connect_starttls(&connector, host, port.parse()?, &me).await?;
    println!("{:?}", stream.get_ref().resumption());
    let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &me).await?;
    let answer = smtp.send(mail.envelope(), &mail.formatted()).await?;
    println!("{}", answer.code());
    smtp.quit().await?;

    // Writes the sessions that are still in memory.
    connector.tokio().flush(Duration::from_secs(1)).await;
    Ok(())
}
