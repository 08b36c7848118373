//! The programs, as one starts them.

use std::process::Command;

use examples::serve::Site;
use hyper::Version;
use lab::server::{Library, Protocol};

/// What a program writes when it visits `site`, which must go well.
pub(crate) fn run(program: &str, site: &Site) -> Vec<String> {
    let ran = Command::new(program)
        .arg(site.url())
        .arg(site.roots())
        .output()
        .expect("the program was built");
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program}: {complaint}");
    let answer = String::from_utf8(ran.stdout).expect("text");
    answer.lines().map(str::to_owned).collect()
}

/// Asserts by the server's word that of two connections the second was resumed.
pub(crate) fn assert_second_resumed(site: &Site, protocol: Protocol) {
    assert_eq!(site.resumed(), [false, true]);
    for seen in site.handshakes() {
        assert_eq!(seen.protocol, protocol);
    }
}

fn visits_twice(program: &str) {
    let spoken = [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ];
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            for (alpn, version) in spoken {
                let site = Site::start(library, protocol, alpn).expect("a free port");
                let written = run(program, &site);
                assert_second_resumed(&site, protocol);
                assert_eq!(site.requests(), [version; 2], "{library} {protocol}");
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
fn without_arguments_a_program_says_what_it_wants() {
    let ran = Command::new(env!("CARGO_BIN_EXE_hyper_rustls")).output();
    let ran = ran.expect("the program was built");
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success());
    assert!(
        complaint.contains("give a URL and a PEM file"),
        "{complaint}"
    );
}
