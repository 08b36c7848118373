//! Servers with STARTTLS.

use std::io::{self, Write};
use std::net::TcpStream;

use lab::postfix::PostfixServer;
use lab::server::{Library, Protocol};
use lab::vsftpd::VsftpdServer;
use probe::{Backend, Code, Failure, StartTls};

use crate::front::{Front, read_line};
use crate::support::{self, Lab, assert_code};

fn expect(client: &mut TcpStream, command: &str, response: &[u8]) -> io::Result<()> {
    let line = read_line(client)?;
    if !line.starts_with(command) {
        return Err(io::ErrorKind::InvalidData.into()); // a client that began with TLS
    }
    client.write_all(response)
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

fn ftp(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"220-Welcome\r\n220 to these files\r\n")?;
    expect(client, "AUTH TLS", b"234 Proceed\r\n")
}

fn smtp_without_starttls(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"220 localhost ESMTP\r\n")?;
    expect(client, "EHLO", b"250-localhost\r\n250 SIZE 100\r\n")?;
    read_line(client).map(|_| ())
}

#[test]
fn bytes_before_tls_are_not_counted() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let front = Front::with_greeting(server.port(), smtp);
    let direct = lab.probe(server.port(), |_| ());
    let reports = lab.probe(front.port(), |options| {
        options.starttls = Some(StartTls::Smtp);
    });
    assert_code(&reports, Code::Resumes);
    for (behind, direct) in reports.iter().zip(&direct) {
        let (behind, direct) = (&behind.connections[1], &direct.connections[1]);
        assert!(behind.resumed && direct.resumed);
        assert_eq!(behind.bytes_out, direct.bytes_out);
        // A ticket has one cipher block of 16 bytes more or less, by the numbers in it. What the
        // server says before TLS has 80.
        assert!(behind.bytes_in.abs_diff(direct.bytes_in) <= 2 * 16);
    }
}

#[test]
fn a_server_that_does_not_offer_starttls() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let front = Front::with_greeting(server.port(), smtp_without_starttls);
    let reports = lab.probe(front.port(), |options| {
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
fn a_port_for_starttls_probed_without() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let front = Front::with_greeting(server.port(), smtp);
    let reports = lab.probe(front.port(), |options| options.connections = Some(1));
    for report in reports {
        let row = &report.connections[0];
        assert_eq!(row.failure, Some(Failure::NotTls), "{row:?}");
        let error = row.error.as_deref().unwrap();
        assert!(error.contains("220 localhost ESMTP"), "{error}");
        let remedy = report.verdict.remedy.unwrap();
        assert!(remedy.contains("--starttls"), "{remedy}");
    }
}

#[test]
fn an_ftp_server() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let front = Front::with_greeting(server.port(), ftp);
    let reports = lab.probe(front.port(), |options| {
        options.starttls = Some(StartTls::Ftp);
    });
    assert_code(&reports, Code::Resumes);
}

#[test]
fn vsftpd() {
    let lab = Lab::new();
    let vsftpd = VsftpdServer::start(&lab.identity()).expect("a vsftpd");
    for version in Protocol::ALL {
        let reports = lab.probe(vsftpd.port(), |options| {
            options.starttls = Some(StartTls::Ftp);
            options.tls = Some(version);
        });
        assert_code(&reports, Code::Resumes);
    }
}

/// Postfix issues no ticket after a resumed handshake, and accepts each ticket any number of times.
#[test]
fn postfix_renews_nothing_and_accepts_a_ticket_twice() {
    let lab = Lab::new();
    let Some(postfix) = PostfixServer::start(&lab.identity()).expect("a Postfix") else {
        eprintln!("SKIPPED: only root can start Postfix");
        return;
    };
    let reports = lab.probe(postfix.port(), |options| {
        options.starttls = Some(StartTls::Smtp);
        options.tls = Some(Protocol::Tls13);
    });
    assert_code(&reports, Code::TicketsUsedUp);
    for report in reports {
        let text = report.verdict.text;
        // Tickets of rustls 0.23 cannot be offered twice.
        let is_known = report.backend != Backend::Rustls;
        let named = text.contains("none after a resumed one, but accepts a ticket twice");
        assert_eq!(named, is_known, "{text}");
    }
    // R32.
    let mut options = lab.options(postfix.port());
    options.starttls = Some(StartTls::Smtp);
    options.tls = Some(Protocol::Tls13);
    options.reuse_tickets = true;
    options.connections = Some(8);
    let reports = support::probe(&options);
    assert_eq!(reports.len(), 2, "OpenSSL and the preview");
    for report in reports {
        assert_eq!(report.verdict.code, Code::Resumes, "{report:#?}");
    }
}
