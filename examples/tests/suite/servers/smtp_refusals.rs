//! Mail servers that do not offer STARTTLS, or misbehave before it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use tls_resume::lettre::starttls;
use tls_resume::rustls::Connector;
use tls_resume::{Error, ErrorKind};
use tokio::net::TcpStream;

const GREETING: &str = "220 mx\r\n";
const OFFER: &str = "250-mx\r\n250 STARTTLS\r\n";

/// The error of STARTTLS with a server that sends the `lines` one by one, each but the first after
/// a line from the client. At an empty line, the server closes the connection.
async fn starttls_error(lines: &[&str], timeout: Duration) -> Error {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    let serving = thread::spawn(move || {
        let (tcp, _) = listener.accept().expect("a client");
        let mut reader = BufReader::new(tcp.try_clone().expect("the same"));
        for line in lines {
            if line.is_empty() {
                tcp.shutdown(Shutdown::Both).expect("an end");
                break;
            }
            (&tcp).write_all(line.as_bytes()).expect("a client");
            reader.read_line(&mut String::new()).expect("a line");
        }
        tcp
    });
    let connector = Connector::builder().timeout(timeout).build();
    let connector = connector.expect("valid settings");
    let tcp = TcpStream::connect(address).await.expect("a connection");
    let me = ClientId::Domain("localhost".to_owned());
    let error = starttls(&connector, "localhost", address.port(), &me, tcp).await;
    let error = error.expect_err("no TLS");
    drop(serving.join());
    assert_eq!(connector.stats().offered, 0);
    error
}

#[tokio::test]
async fn starttls_fails_if_the_server_misbehaves() {
    let injected = "220 go\r\n250 as if it had come in TLS\r\n";
    let endless = "220-mx\r\n".repeat(10_000);
    let one_line = "2".repeat(20_000);
    for (lines, problem) in [
        (&[GREETING, "250 mx\r\n"][..], "does not offer STARTTLS"),
        (
            &[GREETING, OFFER, injected],
            "says more than it was asked before TLS",
        ),
        (
            &[GREETING, OFFER, "454 not now\r\n"],
            "says 454 to STARTTLS",
        ),
        (
            &["220 mx\r\n250-mx\r\n250 STARTTLS\r\n"],
            "says more than it was asked before TLS",
        ),
        (&[GREETING, "250 STARTTLS\r\n"], "does not offer STARTTLS"),
        (
            &[GREETING, "250-mx\r\n250 StartTls\r\n", "250 fine\r\n"],
            "says 250 to STARTTLS",
        ),
        (&[GREETING, "550 who?\r\n"], "says 550 to EHLO"),
        (&["554 no\r\n"], "says 554 to greeting"),
        (&["HTTP/1.1 400 Bad Request\r\n"], "does not speak SMTP"),
        (&[&endless], "says too much"),
        (&[&one_line], "says too much"),
    ] {
        let error = starttls_error(lines, Duration::from_secs(60)).await;
        assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
        assert_eq!(
            error.to_string(),
            format!("localhost: the mail server {problem}")
        );
    }
}

#[tokio::test]
async fn starttls_fails_if_the_server_closes() {
    let error = starttls_error(&[GREETING, ""], Duration::from_secs(60)).await;
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}

#[tokio::test]
async fn starttls_fails_after_the_timeout() {
    let error = starttls_error(&[GREETING, "250-m"], Duration::from_millis(200)).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}
