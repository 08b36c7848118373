//! Servers that begin in the clear.

use std::io::{self, Write};
use std::net::TcpStream;

use lab::server::Library;
use probe::{Code, Failure, StartTls};

use crate::front::{Front, line};
use crate::support::{Trust, assert_code};

fn expect(client: &mut TcpStream, word: &str, answer: &[u8]) -> io::Result<()> {
    let said = line(client)?;
    if !said.starts_with(word) {
        return Err(io::ErrorKind::InvalidData.into()); // TLS, where nobody asked for it
    }
    client.write_all(answer)
}

fn smtp(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"220 localhost ESMTP\r\n")?;
    expect(
        client,
        "EHLO",
        b"250-localhost\r\n250-SIZE 100\r\n250 STARTTLS\r\n",
    )?;
    expect(client, "STARTTLS", b"220 Go ahead\r\n")
}

fn smtp_without(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"220 localhost ESMTP\r\n")?;
    expect(client, "EHLO", b"250-localhost\r\n250 SIZE 100\r\n")?;
    line(client).map(|_| ())
}

#[test]
fn what_is_said_before_is_no_part_of_the_handshake() {
    let trust = Trust::new();
    let server = trust.serve(Library::OpenSsl);
    let front = Front::greeting(server.port(), smtp);
    let direct = trust.ask(server.port(), |_| ());
    let reports = trust.ask(front.port(), |options| {
        options.starttls = Some(StartTls::Smtp);
    });
    assert_code(&reports, Code::Resumes);
    for (behind, direct) in reports.iter().zip(&direct) {
        let (behind, direct) = (&behind.connections[1], &direct.connections[1]);
        assert!(behind.resumed && direct.resumed);
        assert_eq!(
            (behind.bytes_in, behind.bytes_out),
            (direct.bytes_in, direct.bytes_out)
        );
    }
}

#[test]
fn a_server_that_does_not_offer_it() {
    let trust = Trust::new();
    let server = trust.serve(Library::OpenSsl);
    let front = Front::greeting(server.port(), smtp_without);
    let reports = trust.ask(front.port(), |options| {
        options.starttls = Some(StartTls::Smtp);
        options.connections = Some(1);
    });
    assert_code(&reports, Code::HandshakeFailed);
    for report in reports {
        let row = &report.connections[0];
        assert_eq!(row.failure, Some(Failure::StartTls), "{row:?}");
        assert!(report.verdict.text.contains("offers no STARTTLS"));
    }
}

#[test]
fn a_port_for_starttls_without_it() {
    let trust = Trust::new();
    let server = trust.serve(Library::OpenSsl);
    let front = Front::greeting(server.port(), smtp);
    let reports = trust.ask(front.port(), |options| options.connections = Some(1));
    for report in reports {
        let row = &report.connections[0];
        assert_eq!(row.failure, Some(Failure::NotTls), "{row:?}");
        let why = row.error.as_deref().unwrap();
        assert!(why.contains("220 localhost ESMTP"), "{why}");
    }
}
