//! Shared by the tests: certificates, connectors that trust them, and the start of a program.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use lab::certificate::{Authority, Identity, KeyKind};
use tls_resume::{Backend, Protocol, generic};

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Tls12, Protocol::Tls13];

pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// A certificate for `localhost` with its key.
pub(crate) fn identity() -> Identity {
    authority().issue(&["localhost"])
}

pub(crate) fn connector<B: Backend>(protocol: Protocol) -> generic::Connector<B> {
    generic::Connector::builder()
        .roots([authority().root_der()])
        .protocols([protocol])
        .build()
        .expect("valid settings")
}

/// Runs a program, which must succeed; the lines of its output.
pub(crate) fn run(program: &str, server: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a directory");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority().root_pem()).expect("a file");
    let output = Command::new(program).arg(server).arg(roots).output();
    let output = output.expect("the program was built");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    let written = String::from_utf8(output.stdout).expect("text");
    written.lines().map(str::to_owned).collect()
}

/// Asserts that the second of two connections offered a session and resumed.
pub(crate) fn assert_second_resumed<B: Backend>(connector: &generic::Connector<B>) {
    let stats = connector.stats();
    assert_eq!((stats.offered, stats.resumed), (1, 1));
}
