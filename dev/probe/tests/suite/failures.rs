//! Each way to fail has a code, the same with every backend.

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

use crate::front::Front;
use crate::support::{Lab, assert_code, probe};

/// Asserts that every connection of every backend fails with this code and message.
fn assert_fails(reports: &[Report], failure: Failure, message: &str) {
    assert_code(reports, Code::HandshakeFailed);
    for report in reports {
        for row in &report.connections {
            assert_eq!(row.failure, Some(failure), "{row:?}");
            let error = row.error.as_deref().unwrap();
            assert!(error.contains(message), "{message:?} is not in {error}");
            assert!(!error.contains('\n') && error.len() <= 400, "{error}");
            assert!(row.protocol.is_none() && row.handshake_us.is_none());
        }
        // No experiments, and no second timeout.
        let timed_out = matches!(failure, Failure::Silent);
        let rows = if timed_out { 1 } else { 2 };
        let made = if failure == Failure::UnknownName {
            0
        } else {
            rows
        };
        assert_eq!(report.connections.len(), rows);
        assert_eq!(report.verdict.connections_made, made);
        assert!(
            report.verdict.text.contains(message),
            "{:?}",
            report.verdict
        );
    }
}

fn two_connections(options: &mut Options) {
    options.connections = Some(2);
}

#[test]
fn rejected_certificates() {
    let lab = Lab::new();
    let stranger = Authority::new(KeyKind::EcdsaP256);
    let names = ["localhost"];
    for (identity, failure, message) in [
        (
            stranger.issue(&names),
            Failure::UnknownAuthority,
            "leads to no trusted root",
        ),
        (
            lab.authority.issue(&["other.example"]),
            Failure::WrongName,
            "--sni",
        ),
        (
            lab.authority.issue_expired(&names),
            Failure::Expired,
            "has expired",
        ),
        (
            lab.authority.issue_not_yet_valid(&names),
            Failure::NotYetValid,
            "not valid yet",
        ),
    ] {
        for library in Library::ALL {
            let settings = ServerSettings::new(identity.clone());
            let server = TcpServer::start(Server::new(library, &settings)).unwrap();
            let reports = lab.probe(server.port(), two_connections);
            assert_fails(&reports, failure, message);
        }
    }
    let server = lab.serve(Library::OpenSsl);
    assert_code(&lab.probe(server.port(), two_connections), Code::Resumes);
}

#[test]
fn a_port_without_a_listener() {
    let lab = Lab::new();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    assert_fails(
        &lab.probe(port, two_connections),
        Failure::Refused,
        "refuses connections",
    );
}

#[test]
fn a_name_without_an_address() {
    let mut options = Options::new("no-such-host.invalid".parse().unwrap());
    two_connections(&mut options);
    assert_fails(&probe(&options), Failure::UnknownName, "no address found");
}

#[test]
fn plain_text() {
    let lab = Lab::new();
    let server = lab.misbehave(Behaviour::PlainText);
    let reports = lab.probe(server.port(), two_connections);
    let message = "sent \"HTTP/1.1 400 Bad Request\" instead of TLS";
    assert_fails(&reports, Failure::NotTls, message);
    for report in reports {
        let remedy = report.verdict.remedy.unwrap();
        assert!(remedy.contains("--starttls"), "{remedy}");
    }
}

#[test]
fn versions_before_tls12() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.outdated = true;
    });
    for tls in [None, Some(Protocol::Tls12)] {
        let reports = lab.probe(server.port(), |options| {
            two_connections(options);
            options.tls = tls;
        });
        assert_code(&reports, Code::HandshakeFailed);
        for report in reports {
            for row in report.connections {
                let error = row.error.unwrap();
                // A server that rejects TLS 1.2 may speak TLS 1.3; not if it answers with an
                // older version.
                let certain = tls.is_none() || error.contains("answers with TLS 1.");
                let failure = if certain {
                    Failure::OldTls
                } else {
                    Failure::OtherVersion
                };
                assert_eq!(row.failure, Some(failure), "{error}");
            }
        }
    }
}

#[test]
fn a_server_of_the_other_version() {
    let lab = Lab::new();
    for library in Library::ALL {
        for (speaks, tls, message) in [
            (Protocol::Tls13, Protocol::Tls12, "rejects TLS 1.2"),
            (Protocol::Tls12, Protocol::Tls13, "rejects TLS 1.3"),
        ] {
            let server = lab.serve_with(library, |settings| settings.protocols = vec![speaks]);
            let reports = lab.probe(server.port(), |options| {
                two_connections(options);
                options.tls = Some(tls);
            });
            assert_fails(&reports, Failure::OtherVersion, message);
        }
    }
}

#[test]
fn a_server_that_sends_nothing() {
    let lab = Lab::new();
    let server = lab.misbehave(Behaviour::Silent);
    let reports = lab.probe(server.port(), |options| {
        two_connections(options);
        options.timeout = Duration::from_secs(1);
    });
    assert_fails(&reports, Failure::Silent, "sent no TLS within 1 s");
}

#[test]
fn a_server_that_closes_after_the_client_hello() {
    let lab = Lab::new();
    let server = lab.misbehave(Behaviour::CloseAfterHello);
    let reports = lab.probe(server.port(), two_connections);
    assert_fails(
        &reports,
        Failure::Closed,
        "closed the connection before it sent any TLS",
    );
    for report in reports {
        let remedy = report.verdict.remedy.unwrap();
        assert!(
            remedy.contains("check that the port speaks TLS"),
            "{remedy}"
        );
    }
}

#[test]
fn a_server_that_sends_no_greeting() {
    let lab = Lab::new();
    let server = lab.misbehave(Behaviour::Silent);
    let starttls = |options: &mut Options| {
        two_connections(options);
        options.starttls = Some(StartTls::Smtp);
        options.timeout = Duration::from_secs(1);
    };
    let reports = lab.probe(server.port(), starttls);
    assert_fails(&reports, Failure::Silent, "does not greet in time");
}

#[test]
fn a_client_certificate_is_required() {
    let lab = Lab::new();
    for library in Library::ALL {
        let server = lab.serve_with(library, |settings| {
            settings.client_root = Some(lab.authority.root_der());
        });
        for tls in [Protocol::Tls12, Protocol::Tls13] {
            let reports = lab.probe(server.port(), |options| {
                two_connections(options);
                options.tls = Some(tls);
            });
            let message = "requires a client certificate: give one with --cert";
            assert_fails(&reports, Failure::ClientCertificate, message);
        }
    }
}

#[test]
fn no_common_cipher_suite() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::Rustls, |settings| {
        settings.protocols = vec![Protocol::Tls12];
        // The server's key is an ECDSA key.
        let ciphers = vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
        settings.rustls.ciphers = Some(ciphers);
    });
    let reports = lab.probe(server.port(), two_connections);
    assert_fails(&reports, Failure::Handshake, "try another --backend");
}

#[test]
fn plain_text_after_starttls() {
    let lab = Lab::new();
    let port = each_connection(|mut client, _| {
        let mut buffer = [0; 8];
        client.read_exact(&mut buffer)?; // SSLRequest
        client.write_all(b"S")?;
        let _ = client.read(&mut [0; 4_096])?;
        client.write_all(b"FATAL: no TLS after all")
    });
    let reports = lab.probe(port, |options| {
        two_connections(options);
        options.starttls = Some(StartTls::Postgres);
    });
    assert_fails(
        &reports,
        Failure::NotTls,
        "agreed to start TLS (--starttls postgres)",
    );
    for report in reports {
        let error = report.connections[0].error.as_deref().unwrap();
        assert!(!error.contains("instead of TLS"), "{error}");
    }
}

/// The server does not read the client's last message, so closing its socket resets the connection.
#[test]
fn a_reset_right_after_the_handshake() {
    let lab = Lab::new();
    let mut settings = lab.settings();
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
    let reports = lab.probe(port, two_connections);
    let message = "handshake; its log should say why";
    assert_fails(&reports, Failure::Closed, message);
}

/// Half of the connections go to a good server, so the port need not be checked for TLS.
#[test]
fn a_port_that_spoke_tls_is_not_suspected_of_plain_text() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    for (behaviour, failure) in [
        (Behaviour::CloseAfterHello, Failure::Closed),
        (Behaviour::PlainText, Failure::NotTls),
    ] {
        let bad = lab.misbehave(behaviour);
        for ports in [[server.port(), bad.port()], [bad.port(), server.port()]] {
            let front = Front::new(&ports);
            let reports = lab.probe(front.port(), |options| options.connections = Some(4));
            assert_code(&reports, Code::HandshakeFailed);
            for report in &reports {
                let rows = report.connections.iter();
                let failed: Vec<_> = rows.filter_map(|row| row.failure).collect();
                assert_eq!(failed, [failure; 2], "{report:?}");
                let verdict = &report.verdict;
                let texts = [&verdict.text, verdict.remedy.as_ref().unwrap()];
                for text in texts {
                    assert!(!text.contains("check"), "{text}");
                    assert!(!text.contains("--starttls"), "{text}");
                }
                assert!(texts[1].contains("the server's log"), "{verdict:?}");
            }
        }
    }
}

/// Messages of one failure may differ in what the server sent.
#[test]
fn each_failure_is_one_line() {
    let lab = Lab::new();
    let port = each_connection(|mut client, number| {
        let _ = client.read(&mut [0; 4_096])?;
        client.write_all(format!("response {number}\r\n").as_bytes())
    });
    let mut options = lab.options(port);
    options.backend = BackendChoice::Openssl;
    let lines = RefCell::new(Vec::new());
    let succeeded = probe::run(&options, false, &mut Vec::new(), &|line| {
        lines.borrow_mut().push(line.to_owned());
    });
    assert!(!succeeded.unwrap());
    let lines = lines.into_inner();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains("response 0") && lines[0].ends_with("(5 times)"),
        "{lines:?}"
    );
}

/// A listener that serves one connection after the other until the process ends.
fn each_connection(
    mut serve: impl FnMut(TcpStream, usize) -> io::Result<()> + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            // Errors are the client's to notice.
            let _ = client.and_then(|client| serve(client, number));
        }
    });
    port
}
