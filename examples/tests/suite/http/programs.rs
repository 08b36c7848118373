//! The programs with hyper's client.

use std::process::Command;

use examples::serve::HttpsServer;
use hyper::Version;
use lab::server::{Library, Protocol};

/// Runs a program, which must succeed, against `server`; the lines of its output.
pub(crate) fn run(program: &str, server: &HttpsServer) -> Vec<String> {
    let output = Command::new(program)
        .arg(server.url())
        .arg(server.roots())
        .output()
        .expect("the program was built");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    let answer = String::from_utf8(output.stdout).expect("text");
    answer.lines().map(str::to_owned).collect()
}

/// Asserts that the server resumed the second of two connections.
pub(crate) fn assert_second_resumed(server: &HttpsServer, protocol: Protocol) {
    assert_eq!(server.resumed(), [false, true]);
    for handshake in server.handshakes() {
        assert_eq!(handshake.protocol, protocol);
    }
}

fn visits_twice(program: &str) {
    let cases = [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ];
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            for (alpn, version) in cases {
                let server = HttpsServer::start(library, protocol, alpn).expect("a free port");
                let written = run(program, &server);
                assert_second_resumed(&server, protocol);
                assert_eq!(server.requests(), [version; 2], "{library} {protocol}");
                assert_eq!(written, ["Some(Full)", "Some(Resumed)"]);
            }
        }
    }
}

#[test]
fn hyper_on_openssl_resumes() {
    visits_twice(env!("CARGO_BIN_EXE_hyper_openssl"));
}

#[test]
fn hyper_on_rustls_resumes() {
    visits_twice(env!("CARGO_BIN_EXE_hyper_rustls"));
}

#[test]
fn without_arguments_a_program_prints_its_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_hyper_rustls")).output();
    let output = output.expect("the program was built");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(stderr.contains("give a URL and a PEM file"), "{stderr}");
}
