//! Postfix with STARTTLS. The tests are skipped unless run by root, which scripts/test reports.

use lab::postfix::PostfixServer;
use lettre::Message;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tls_resume::generic;
use tls_resume::lettre::{SmtpStream, starttls};
use tls_resume::tokio::Backend;
use tokio::net::TcpStream;

use super::common::{PROTOCOLS, assert_second_resumed, connector, identity, run};

fn start() -> Option<PostfixServer> {
    let postfix = PostfixServer::start(&identity()).expect("a Postfix");
    if postfix.is_none() {
        eprintln!("SKIPPED: only root can start Postfix");
    }
    postfix
}

/// Connects and starts TLS.
async fn connect<B: Backend>(
    connector: &generic::Connector<B>,
    port: u16,
) -> SmtpStream<B, TcpStream> {
    let me = ClientId::Domain("localhost".to_owned());
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("TCP");
    let stream = starttls(connector, "localhost", port, &me, tcp).await;
    stream.expect("TLS")
}

async fn send<B: Backend>(stream: SmtpStream<B, TcpStream>, subject: &str)
where
    SmtpStream<B, TcpStream>: Sync,
{
    let me = ClientId::Domain("localhost".to_owned());
    let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &me)
        .await
        .expect("SMTP");
    let mail = Message::builder()
        .from("me@localhost".parse().expect("an address"))
        .to("you@localhost".parse().expect("an address"))
        .subject(subject)
        .body("hello\r\n".to_owned())
        .expect("a mail");
    let answer = smtp
        .send(mail.envelope(), &mail.formatted())
        .await
        .expect("an answer");
    assert!(answer.has_code(250), "{answer:?}");
    smtp.quit().await.expect("a farewell");
}

async fn resumes<B: Backend>()
where
    SmtpStream<B, TcpStream>: Sync,
{
    let Some(postfix) = start() else { return };
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        for number in 1..=2 {
            let stream = connect(&connector, postfix.port()).await;
            send(stream, &format!("{protocol:?} {number}")).await;
        }
        assert_second_resumed(&connector);
    }
    let resumed = postfix.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
    let mails = postfix.mails().expect("its queue");
    let is_ours = |mail: &&Vec<u8>| mail.windows(5).any(|window| window == b"hello");
    assert_eq!(mails.iter().filter(is_ours).count(), 4);
}

on_both_backends!(resumes);

#[test]
fn the_program_resumes() {
    let Some(postfix) = start() else { return };
    let written = run(
        env!("CARGO_BIN_EXE_smtp"),
        &format!("localhost:{}", postfix.port()),
    );
    assert_eq!(written, ["250", "250", "1 resumed"]);
    assert_eq!(postfix.resumed(2).expect("its log"), [false, true]);
}
