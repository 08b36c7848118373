//! Each way to fail has a word of its own, the same with every backend.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use probe::{Code, Failure, Options, Report, StartTls, TlsVersion};

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
    for tls in [None, Some(TlsVersion::Tls12)] {
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
            (Protocol::Tls13, TlsVersion::Tls12, "refuses TLS 1.2"),
            (Protocol::Tls12, TlsVersion::Tls13, "refuses TLS 1.3"),
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
