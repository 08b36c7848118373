//! Channel binding with certificates that are signed in different ways: PostgreSQL says whether the
//! hash is the right one.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::postgres::PostgresServer;
use tls_resume::generic;
use tls_resume::openssl::OpenSsl;
use tls_resume::pki_types::CertificateDer;
use tls_resume::pki_types::pem::PemObject;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;

use crate::common::identity;
use crate::postgres::{ask, bound};

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const RSA_3072: &[&str] = &["-newkey", "rsa:3072"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const ED25519: &[&str] = &["-newkey", "ed25519"];
/// rustls and OpenSSL.
const BOTH: (bool, bool) = (true, true);
const PSS: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:digest",
];

/// As long as it can be, which was the default of OpenSSL.
const PSS_LONG_SALT: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:350",
];

/// Has OpenSSL make a certificate that is its own root, `cert.pem` with `key.pem`.
fn make(dir: &Path, key: &[&str], hash: &str, signature: &[&str]) {
    let made = Command::new("openssl")
        .current_dir(dir)
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            hash,
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .args(key)
        .args(signature)
        .output()
        .expect("the program `openssl`");
    let complaint = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{complaint}");
}

async fn is_bound<B: Backend>(roots: &Path, port: u16) -> Result<i32, tokio_postgres::Error> {
    let root = CertificateDer::from_pem_file(roots).expect("a certificate");
    let connector = generic::Connector::<B>::builder().roots([root]).build();
    ask(&connector.expect("valid settings"), &bound(port)).await
}

#[tokio::test]
async fn channels_are_bound_by_the_hash_of_the_signature() {
    let mut postgres = PostgresServer::start(&identity()).expect("a PostgreSQL");
    for (key, hash, signature, binds) in [
        (P256, "-sha256", &[][..], BOTH),
        (P256, "-sha384", &[], BOTH),
        (RSA, "-sha224", &[], (false, true)), // rustls does not trust it
        (RSA, "-sha256", &[], BOTH),
        (RSA, "-sha512", &[], BOTH),
        (RSA, "-sha384", PSS, BOTH),
        (RSA_3072, "-sha256", PSS_LONG_SALT, (false, true)), // likewise
        (ED25519, "-sha256", &[], (false, false)),           // it has no hash
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), key, hash, signature);
        let file = |name| dir.path().join(name);
        let text = |name| fs::read_to_string(file(name)).expect("a file");
        postgres
            .restart(&text("cert.pem"), &text("key.pem"))
            .expect("a PostgreSQL");
        let (roots, port) = (file("cert.pem"), postgres.port());
        let answers = (
            is_bound::<Rustls>(&roots, port).await,
            is_bound::<OpenSsl>(&roots, port).await,
        );
        let bound = (answers.0.is_ok(), answers.1.is_ok());
        assert_eq!(bound, binds, "{key:?} {hash} {signature:?}: {answers:?}");
    }
}
