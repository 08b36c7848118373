//! `compare probe` with servers in this process.

mod server;
mod sharing;

use std::net::TcpListener;
use std::process::Command;

use self::server::{Lab, connections, verdicts};
use crate::program::{Ran, compare, file};
use lab::server::{Library, ServerResumption};
use lab::tcp::Behaviour;

const BACKENDS: [&str; 3] = ["rustls", "openssl", "rustls-preview"];

#[test]
fn every_backend_resumes_from_the_second_connection_on() {
    for library in Library::ALL {
        let lab = Lab::new(&format!("resumes-{library}"), library);
        for tls in ["1.2", "1.3"] {
            let ran = lab.probe(&["--json", "--tls", tls]);
            assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
            assert_eq!(ran.err, "");
            let rows = connections(&ran);
            assert_eq!(rows.len(), 3 * 5);
            for row in &rows {
                let later = row["connection"] != 1;
                assert_eq!(row["resumed"], later, "{row}");
                assert_eq!(row["offered"], later, "{row}");
                assert_eq!(row["protocol"], format!("TLS {tls}"), "{row}");
                assert!(row["error"].is_null(), "{row}");
                assert!(row["bytes_in"].as_u64().unwrap() > 100, "{row}");
                assert!(row["handshake_us"].as_u64().unwrap() > 0, "{row}");
                assert!(row["cipher"].as_str().unwrap().starts_with("TLS_"), "{row}");
                assert_eq!(row.as_object().unwrap().len(), 19, "{row}");
                let hidden = row["backend"] == "rustls" && tls == "1.3";
                assert!(!hidden || row["lifetime_s"].is_null(), "{row}");
            }
            assert_eq!(rows[0]["group"], "X25519");
            let verdicts = verdicts(&ran);
            let backends: Vec<_> = verdicts.iter().map(|verdict| &verdict["backend"]).collect();
            assert_eq!(backends, BACKENDS);
            assert!(
                verdicts.iter().all(|verdict| verdict["code"] == "resumes"),
                "{verdicts:?}"
            );
        }
        // By the server: four of each five connections; and with TLS 1.3, for the two backends whose
        // tickets can be copied, one ticket twice.
        let resumed = lab
            .tcp
            .handshakes()
            .iter()
            .filter(|seen| seen.resumed)
            .count();
        assert_eq!(resumed, 2 * 3 * 4 + 2 * 2);
    }
}

#[test]
fn text_has_tables_and_a_verdict_per_backend() {
    let lab = Lab::new("tables", Library::Rustls);
    for args in [
        &["--connections", "3"][..],
        &["--connections", "12"],
        &["--concurrency", "16"],
        &["--address", "127.0.0.1", "--all-addresses", "--tls", "1.2"],
    ] {
        let ran = lab.probe(args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(ran.err, "");
        for backend in BACKENDS {
            let verdict = format!("\n{backend}: the server ");
            assert!(ran.out.contains(&verdict), "{}", ran.out);
        }
        assert!(
            ran.out.lines().all(|line| line.chars().count() <= 100),
            "{}",
            ran.out
        );
        // No colours outside a terminal.
        assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
    }
}

#[test]
fn colours_follow_the_environment() {
    let lab = Lab::new("colours", Library::Rustls);
    for (variables, coloured) in [
        (&[("CLICOLOR_FORCE", "1")][..], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(["probe", &lab.target(), "--ca", &lab.root]);
        command.args(["--backend", "rustls", "--connections", "2"]);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(out.contains("\x1b["), coloured, "{variables:?} {out:?}");
    }
}

#[test]
fn connections_are_made_at_the_same_time() {
    let lab = Lab::new("concurrent", Library::Rustls);
    let args = ["--json", "--connections", "12", "--concurrency", "3"];
    let ran = lab.probe(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for backend in BACKENDS {
        let mut rows = connections(&ran);
        rows.retain(|row| row["backend"] == backend);
        let mut numbers: Vec<_> = rows.iter().map(|row| row["connection"].as_u64()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=12).map(Some).collect::<Vec<_>>());
        assert!(rows.iter().any(|row| row["resumed"] == true), "{rows:?}");
    }
}

#[test]
fn a_server_without_tickets_is_reported() {
    let lab = Lab::with(
        "no-tickets",
        Library::OpenSsl,
        Behaviour::Serve,
        |settings| {
            settings.resumption = ServerResumption::Off;
        },
    );
    let ran = lab.probe(&["--json", "--connections", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for verdict in verdicts(&ran) {
        assert_eq!(verdict["code"], "no_tickets", "{verdict}");
    }
    assert!(connections(&ran).iter().all(|row| row["resumed"] == false));
}

/// Asserts that every connection fails with a row whose error contains `text`.
fn assert_fails(ran: &Ran, count: usize, text: &str) {
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let rows = connections(ran);
    assert_eq!(rows.len(), count, "{}", ran.out);
    for row in rows {
        let error = row["error"].as_str().unwrap_or_default();
        assert!(error.contains(text), "{text:?} is not in {row}");
        assert!(
            row["protocol"].is_null() && row["handshake_us"].is_null(),
            "{row}"
        );
    }
    for verdict in verdicts(ran) {
        assert_eq!(verdict["code"], "handshake_failed", "{verdict}");
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

fn each_backend(mut check: impl FnMut(&str)) {
    for backend in BACKENDS {
        check(backend);
    }
}

#[test]
fn a_refused_port() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let target = free.local_addr().unwrap().to_string();
    drop(free);
    let ran = compare(&["probe", &target, "--json", "--connections", "2"]);
    assert_fails(&ran, 6, "refuses connections");
    assert_one_line_per_backend(&ran, &format!("{target} refuses"));
}

/// Asserts that standard error has one line for each backend, which contains `text`.
fn assert_one_line_per_backend(ran: &Ran, text: &str) {
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), BACKENDS.len(), "{}", ran.err);
    for (line, backend) in lines.iter().zip(BACKENDS) {
        assert!(line.starts_with(&format!("compare: {backend}: ")), "{line}");
        assert!(line.contains(text), "{text:?} is not in {line}");
    }
}

#[test]
fn a_repeated_error_is_printed_once_per_backend() {
    let ran = compare(&["probe", "127.0.0.1:1"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!ran.out.contains("refuses"), "{}", ran.out);
    assert_one_line_per_backend(&ran, "(5 times)");
}

#[test]
fn a_broken_pipe_does_not_change_the_exit_code() {
    let lab = Lab::new("unread", Library::Rustls);
    let (refused, served) = ("127.0.0.1:1", lab.target());
    for (target, code) in [(refused, 1), (served.as_str(), 0)] {
        for json in [&[][..], &["--json"]] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
            command
                .args(["probe", target, "--ca", &lab.root])
                .args(json);
            let writer_too = writer.try_clone().unwrap();
            let status = command.stdout(writer).stderr(writer_too).status().unwrap();
            assert_eq!(status.code(), Some(code), "{target} {json:?}");
        }
    }
}

#[test]
fn an_unknown_host() {
    let ran = compare(&[
        "probe",
        "no-such-host.invalid",
        "--json",
        "--connections",
        "1",
    ]);
    assert_fails(&ran, 3, "no address found");
    assert_one_line_per_backend(&ran, "no-such-host.invalid");
}

#[test]
fn an_untrusted_authority() {
    let lab = Lab::new("untrusted", Library::Rustls);
    each_backend(|backend| {
        let args = ["probe", &lab.target(), "--json", "--backend", backend];
        let ran = compare(&args);
        assert_fails(&ran, 5, "--ca");
        ran.one_line("certificate");
    });
}

#[test]
fn a_wrong_name() {
    let lab = Lab::new("wrong-name", Library::OpenSsl);
    each_backend(|backend| {
        let args = ["--json", "--backend", backend, "--sni", "other.example"];
        let ran = lab.probe(&args);
        assert_fails(&ran, 5, "--sni");
        ran.one_line("other.example");
    });
}

#[test]
fn a_server_that_closes() {
    let lab = Lab::with(
        "closes",
        Library::Rustls,
        Behaviour::CloseAfterHello,
        |_| {},
    );
    each_backend(|backend| {
        let ran = lab.probe(&["--json", "--backend", backend, "--connections", "2"]);
        assert_fails(&ran, 2, "closed the connection");
        ran.one_line("(2 times)");
    });
}

#[test]
fn address_and_starttls_flags() {
    let lab = Lab::new("flags", Library::Rustls);
    let name = format!("a-name-without-addresses.invalid:{}", lab.tcp.port());
    let common = ["probe", &name, "--ca", &lab.root, "--json"];
    let here = ["--address", "127.0.0.1", "--sni", server::NAME];
    let ran = compare(&[&common[..], &here].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);

    let nowhere = ["--address", "127.0.0.9", "--all-addresses"];
    let ran = compare(&[&common[..], &here, &nowhere].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_one_line_per_backend(&ran, "127.0.0.9");
    for verdict in verdicts(&ran) {
        assert_eq!(verdict["code"], "address_failed", "{verdict}");
        assert!(verdict["remedy"].is_string(), "{verdict}");
    }
    for (args, message) in [
        (["--address", "localhost"], "--address"),
        (["--starttls", "ldap"], "ftp"),
    ] {
        let ran = compare(&[&["probe", "localhost"], &args[..]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        ran.one_line(message);
    }
}

#[test]
fn a_server_that_never_answers() {
    let lab = Lab::with("silent", Library::Rustls, Behaviour::Silent, |_| {});
    each_backend(|backend| {
        let args = [
            "--json",
            "--backend",
            backend,
            "--connections",
            "3",
            "--timeout",
            "1",
        ];
        let ran = lab.probe(&args);
        assert_fails(&ran, 1, "within 1 s");
        ran.one_line("--timeout");
    });
}

#[test]
fn a_server_without_tls() {
    let lab = Lab::with("plain-text", Library::Rustls, Behaviour::PlainText, |_| {});
    each_backend(|backend| {
        let ran = lab.probe(&["--json", "--backend", backend, "--connections", "1"]);
        assert_fails(&ran, 1, "127.0.0.1");
        ran.one_line("127.0.0.1");
    });
}

#[test]
fn a_failure_does_not_stop_other_connections() {
    let lab = Lab::with(
        "tls13-only",
        Library::Rustls,
        Behaviour::Serve,
        |settings| {
            settings.protocols = vec![lab::server::Protocol::Tls13];
        },
    );
    let ran = lab.probe(&["--json", "--connections", "3", "--tls", "1.2"]);
    assert_fails(&ran, 9, "127.0.0.1");
}

#[test]
fn files_without_a_certificate() {
    let empty = file("empty.pem", "");
    let nonsense = file("nonsense.pem", "-----BEGIN CERTIFICATE-----\n!!!\n");
    let missing = file("missing.pem", "").with_file_name("not-there.pem");
    for ca in [empty, nonsense, missing] {
        let ca = ca.to_str().unwrap();
        each_backend(|backend| {
            let ran = compare(&["probe", "localhost:1", "--ca", ca, "--backend", backend]);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
            ran.one_line(ca);
        });
    }
}

#[test]
fn a_client_certificate_needs_its_key() {
    let missing = file("missing-key.pem", "").with_file_name("no-such.key");
    let missing = missing.to_str().unwrap();
    let cert = file("client.pem", "");
    let cert = cert.to_str().unwrap();
    for (args, message) in [
        (&["--cert", cert][..], "--cert and --key belong together"),
        (&["--key", cert], "--cert and --key belong together"),
        (&["--cert", missing, "--key", cert], "no-such.key"),
        (&["--cert", cert, "--key", missing], cert),
    ] {
        let ran = compare(&[&["probe", "localhost:1"], args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        ran.one_line(message);
    }
}

#[test]
fn a_server_that_fails_when_a_session_is_offered() {
    let lab = Lab::with("breaks", Library::OpenSsl, Behaviour::Serve, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    let ran = lab.probe(&["--json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for verdict in verdicts(&ran) {
        assert_eq!(verdict["code"], "breaks_when_resumed", "{verdict}");
    }
    for row in connections(&ran) {
        assert_eq!(row["error"].is_string(), row["offered"] == true, "{row}");
    }
    let ran = lab.probe(&[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines.iter().all(|line| line.len() <= 100), "{}", ran.out);
    let failed = |line: &&&str| line.ends_with("handshake failed") && line.contains(" yes ");
    assert_eq!(lines.iter().filter(failed).count(), 3, "{}", ran.out);
    assert!(
        ran.out.contains("SSL_CTX_set_session_id_context"),
        "{}",
        ran.out
    );
    assert_one_line_per_backend(&ran, "alert internal_error");
}
