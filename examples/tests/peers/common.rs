//! What the tests share: certificates, clients that trust them, and the programs.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use lab::certificate::{Authority, Identity, KeyKind};
use tls_resume::tokio::Backend;
use tls_resume::{Protocol, generic};

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Tls12, Protocol::Tls13];

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// What a server here identifies itself by.
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

/// What a program writes when it visits a server twice, which must go well.
pub(crate) fn visit(program: &str, server: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a directory");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority().root_pem()).expect("a file");
    let ran = Command::new(program).arg(server).arg(roots).output();
    let ran = ran.expect("the program was built");
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program}: {complaint}");
    let written = String::from_utf8(ran.stdout).expect("text");
    written.lines().map(str::to_owned).collect()
}

/// Asserts that of two connections the second was offered a session, and resumed with it.
pub(crate) fn assert_second_resumed<B: Backend>(connector: &generic::Connector<B>) {
    let stats = connector.stats();
    assert_eq!((stats.offered, stats.resumed), (1, 1));
}
