//! Channel binding with different signature algorithms. PostgreSQL checks the hash of the
//! certificate.

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

use super::common::identity;
use super::postgres::{query, with_binding};

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const RSA_3072: &[&str] = &["-newkey", "rsa:3072"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const ED25519: &[&str] = &["-newkey", "ed25519"];
/// Channel binding works with rustls, and with OpenSSL.
const BOTH: (bool, bool) = (true, true);
const PSS: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:digest",
];

/// The maximum for a 3072-bit key, which was OpenSSL's default.
const PSS_LONG_SALT: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:350",
];

/// Creates a self-signed certificate by the program `openssl`: `cert.pem` and `key.pem`.
fn make(dir: &Path, key: &[&str], hash: &str, signature: &[&str]) {
    let output = Command::new("openssl")
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
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

async fn is_bound<B: Backend>(roots: &Path, port: u16) -> Result<i32, tokio_postgres::Error> {
    let root = CertificateDer::from_pem_file(roots).expect("a certificate");
    let connector = generic::Connector::<B>::builder().roots([root]).build();
    query(&connector.expect("valid settings"), &with_binding(port)).await
}

#[tokio::test]
async fn channel_binding_uses_the_hash_of_the_signature() {
    let mut postgres = PostgresServer::start(&identity()).expect("a PostgreSQL");
    for (key, hash, signature, binds) in [
        (P256, "-sha256", &[][..], BOTH),
        (P256, "-sha384", &[], BOTH),
        (RSA, "-sha224", &[], (false, true)), // rejected by rustls
        (RSA, "-sha256", &[], BOTH),
        (RSA, "-sha512", &[], BOTH),
        (RSA, "-sha384", PSS, BOTH),
        (RSA_3072, "-sha256", PSS_LONG_SALT, (false, true)), // rejected by rustls
        (ED25519, "-sha256", &[], (false, false)),           // has no hash
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
