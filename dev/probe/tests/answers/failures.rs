//! Each way to fail has a word of its own, the same with every backend.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use probe::{BackendChoice, Code, Failure, Options, Report, StartTls};
use rustls::CipherSuite;

use crate::support::{Trust, ask, assert_code};

/// Every connection of every backend fails like this, and says so in words.
fn assert_fails(reports: &[Report], failure: Failure, says: &str) {
    assert_code(reports, Code::HandshakeFailed);
    for report in reports {
        for row in &report.connections {
            assert_eq!(row.failure, Some(failure), "{row:?}");
            let why = row.error.as_deref().unwrap();
            assert!(why.contains(says), "{says:?} is not in {why}");
            assert!(!why.contains('\n') && why.len() <= 400, "{why}");
            assert!(row.protocol.is_none() && row.handshake_us.is_none());
        }
        // Nothing is learned from experiments then, nor by waiting in vain again.
        let waited = matches!(failure, Failure::Silent);
        let rows = if waited { 1 } else { 2 };
        let made = if failure == Failure::UnknownName {
            0
        } else {
            rows
        };
        assert_eq!(report.connections.len(), rows);
        assert_eq!(report.verdict.connections_made, made);
        assert!(report.verdict.text.contains(says), "{:?}", report.verdict);
    }
}

fn two(options: &mut Options) {
    options.connections = Some(2);
}

#[test]
fn certificates() {
    let trust = Trust::new();
    let stranger = Authority::new(KeyKind::EcdsaP256);
    let names = ["localhost"];
    for (identity, failure, says) in [
        (
            stranger.issue(&names),
            Failure::UnknownAuthority,
            "--ca trusts another root",
        ),
        (
            trust.authority.issue(&["other.example"]),
            Failure::WrongName,
            "--sni",
        ),
        (
            trust.authority.issue_expired(&names),
            Failure::Expired,
            "has expired",
        ),
        (
            trust.authority.issue_not_yet_valid(&names),
            Failure::NotYetValid,
            "not valid yet",
        ),
    ] {
        for library in Library::ALL {
            let settings = ServerSettings::new(identity.clone());
            let server = TcpServer::start(Server::new(library, &settings)).unwrap();
            let reports = trust.ask(server.port(), two);
            assert_fails(&reports, failure, says);
        }
    }
    let good = trust.serve(Library::OpenSsl);
    assert_code(&trust.ask(good.port(), two), Code::Resumes);
}

#[test]
fn nobody_listens() {
    let trust = Trust::new();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    assert_fails(
        &trust.ask(port, two),
        Failure::Refused,
        "refuses connections",
    );
}

#[test]
fn a_name_without_an_address() {
    let mut options = Options::new("no-such-host.invalid".parse().unwrap());
    two(&mut options);
    assert_fails(&ask(&options), Failure::UnknownName, "no address found");
}

#[test]
fn plain_text() {
    let trust = Trust::new();
    let server = trust.misbehave(Behaviour::PlainText);
    let reports = trust.ask(server.port(), two);
    let says = "does not speak TLS on this port (it says \"HTTP/1.1 400 Bad Request\"): is it a \
                plain-text port, or one for --starttls?";
    assert_fails(&reports, Failure::NotTls, says);
}

#[test]
fn versions_of_before_2008() {
    let trust = Trust::new();
    let server = trust.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.outdated = true;
    });
    for tls in [None, Some(Protocol::Tls12)] {
        let reports = trust.ask(server.port(), |options| {
            two(options);
            options.tls = tls;
        });
        assert_code(&reports, Code::HandshakeFailed);
        for report in reports {
            for row in report.connections {
                let why = row.error.unwrap();
                // Asked for TLS 1.2 alone, a server that refuses it may speak a newer one: that
                // it does not is certain only if it answers with an older one.
                let certain = tls.is_none() || why.contains("answers with TLS 1.");
                let failure = if certain {
                    Failure::OldTls
                } else {
                    Failure::OtherVersion
                };
                assert_eq!(row.failure, Some(failure), "{why}");
            }
        }
    }
}

#[test]
fn the_other_version() {
    let trust = Trust::new();
    for library in Library::ALL {
        for (speaks, asked, says) in [
            (Protocol::Tls13, Protocol::Tls12, "refuses TLS 1.2"),
            (Protocol::Tls12, Protocol::Tls13, "refuses TLS 1.3"),
        ] {
            let server = trust.serve_with(library, |settings| settings.protocols = vec![speaks]);
            let reports = trust.ask(server.port(), |options| {
                two(options);
                options.tls = Some(asked);
            });
            assert_fails(&reports, Failure::OtherVersion, says);
        }
    }
}

#[test]
fn silence() {
    let trust = Trust::new();
    let server = trust.misbehave(Behaviour::Silent);
    let reports = trust.ask(server.port(), |options| {
        two(options);
        options.timeout = Duration::from_secs(1);
    });
    assert_fails(&reports, Failure::Silent, "within 1 s");
}

#[test]
fn the_end_in_the_middle() {
    let trust = Trust::new();
    let server = trust.misbehave(Behaviour::CloseAfterHello);
    let reports = trust.ask(server.port(), two);
    assert_fails(&reports, Failure::Closed, "closed the connection");
}

#[test]
fn no_starttls() {
    let trust = Trust::new();
    let server = trust.misbehave(Behaviour::Silent);
    let silent = |options: &mut Options| {
        two(options);
        options.starttls = Some(StartTls::Smtp);
        options.timeout = Duration::from_secs(1);
    };
    let reports = trust.ask(server.port(), silent);
    assert_fails(&reports, Failure::Silent, "does not greet in time");
}

#[test]
fn a_client_certificate_is_asked_for() {
    let trust = Trust::new();
    for library in Library::ALL {
        let server = trust.serve_with(library, |settings| {
            settings.client_root = Some(trust.authority.root_der());
        });
        for tls in [Protocol::Tls12, Protocol::Tls13] {
            let reports = trust.ask(server.port(), |options| {
                two(options);
                options.tls = Some(tls);
            });
            let says = "asks for a client certificate, and this probe has none";
            assert_fails(&reports, Failure::ClientCertificate, says);
        }
    }
}

#[test]
fn nothing_in_common() {
    let trust = Trust::new();
    let server = trust.serve_with(Library::Rustls, |settings| {
        settings.protocols = vec![Protocol::Tls12];
        // Its key is for ECDSA.
        let ciphers = vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
        settings.rustls.ciphers = Some(ciphers);
    });
    let reports = trust.ask(server.port(), two);
    assert_fails(&reports, Failure::Handshake, "another --backend may do");
}

#[test]
fn plain_text_after_starttls() {
    let trust = Trust::new();
    let port = each_connection(|mut client, _| {
        let mut buffer = [0; 8];
        client.read_exact(&mut buffer)?; // the request for TLS
        client.write_all(b"S")?;
        let _ = client.read(&mut [0; 4_096])?;
        client.write_all(b"FATAL: no TLS after all")
    });
    let reports = trust.ask(port, |options| {
        two(options);
        options.starttls = Some(StartTls::Postgres);
    });
    assert_fails(
        &reports,
        Failure::NotTls,
        "agreed to begin TLS (--starttls postgres)",
    );
    for report in reports {
        let why = report.connections[0].error.as_deref().unwrap();
        assert!(!why.contains("or one for --starttls"), "{why}");
    }
}

/// The server does not read the client's last words, so its end of the connection breaks.
#[test]
fn the_end_right_after_the_handshake() {
    let trust = Trust::new();
    let mut settings = trust.settings();
    settings.protocols = vec![Protocol::Tls13];
    let server = Server::new(Library::Rustls, &settings);
    let port = each_connection(move |mut client, _| {
        let mut connection = server.connection();
        let mut buffer = [0; 16_384];
        let length = client.read(&mut buffer)?;
        connection.receive(&buffer[..length]);
        let mut out = Vec::new();
        connection.send(&mut out);
        client.write_all(&out)?;
        client.peek(&mut [0]).map(drop)
    });
    let reports = trust.ask(port, two);
    assert_fails(&reports, Failure::Closed, "the handshake");
}

/// What a server says may differ each time; why it failed does not.
#[test]
fn one_cause_is_one_line() {
    let trust = Trust::new();
    let port = each_connection(|mut client, number| {
        let _ = client.read(&mut [0; 4_096])?;
        client.write_all(format!("answer {number}\r\n").as_bytes())
    });
    let mut options = trust.options(port);
    options.backend = BackendChoice::Openssl;
    let lines = RefCell::new(Vec::new());
    let good = probe::run(&options, false, &mut Vec::new(), &|line| {
        lines.borrow_mut().push(line.to_owned());
    });
    assert!(!good.unwrap());
    let lines = lines.into_inner();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains("answer 0") && lines[0].ends_with("(5 times)"),
        "{lines:?}"
    );
}

/// A listener that does this with each connection, for as long as the tests run.
fn each_connection(
    mut serve: impl FnMut(TcpStream, usize) -> io::Result<()> + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            // A connection that breaks is the client's affair.
            let _ = client.and_then(|client| serve(client, number));
        }
    });
    port
}
