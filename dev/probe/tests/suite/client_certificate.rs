//! Servers that ask for a client certificate, and probes that have one.

use std::io::Write;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Protocol, ServerSettings};
use lab::tcp::TcpServer;
use probe::{Code, Error, Failure, Options, Probe};
use tempfile::NamedTempFile;

use crate::support::{Lab, assert_code};

fn file(contents: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(contents.as_bytes()).unwrap();
    file
}

/// The files of a client certificate and its key.
struct Credential {
    cert: NamedTempFile,
    key: NamedTempFile,
}

impl Credential {
    fn new(identity: &Identity) -> Self {
        Self {
            cert: file(&identity.chain_pem()),
            key: file(&identity.key_pem()),
        }
    }

    fn set(&self, options: &mut Options) {
        options.cert = Some(self.cert.path().to_owned());
        options.key = Some(self.key.path().to_owned());
    }
}

/// A server that demands a certificate of the lab's authority.
fn demanding(lab: &Lab, library: Library, change: impl FnOnce(&mut ServerSettings)) -> TcpServer {
    lab.serve_with(library, |settings| {
        settings.client_root = Some(lab.authority.root_der());
        change(settings);
    })
}

#[test]
fn a_probe_with_a_client_certificate() {
    let lab = Lab::new();
    let credential = Credential::new(&lab.authority.issue_client("client"));
    for library in Library::ALL {
        let server = demanding(&lab, library, |_| ());
        for version in Protocol::ALL {
            let reports = lab.probe(server.port(), |options| {
                credential.set(options);
                options.tls = Some(version);
            });
            assert_code(&reports, Code::Resumes);
            for report in reports {
                // The clients of this experiment have the certificate, too.
                let twice = report.twice.map(|row| (row.first, row.error));
                let is_tried =
                    version == Protocol::Tls13 && report.backend != probe::Backend::Rustls;
                assert_eq!(twice, is_tried.then_some((true, None)));
            }
        }
    }
}

#[test]
fn a_client_certificate_that_the_server_does_not_accept() {
    let lab = Lab::new();
    let stranger = Authority::new(KeyKind::EcdsaP256);
    let credential = Credential::new(&stranger.issue_client("client"));
    for library in Library::ALL {
        let server = demanding(&lab, library, |_| ());
        for version in Protocol::ALL {
            let reports = lab.probe(server.port(), |options| {
                credential.set(options);
                options.tls = Some(version);
                options.connections = Some(2);
            });
            assert_code(&reports, Code::HandshakeFailed);
            for row in reports.iter().flat_map(|report| &report.connections) {
                assert_eq!(row.failure, Some(Failure::ClientCertificate), "{row:?}");
                let error = row.error.as_deref().unwrap();
                let is_named = error.contains("rejects the client certificate of")
                    || error.contains("of one of its CAs");
                assert!(is_named, "{error}");
            }
        }
    }
}

#[test]
fn a_server_without_a_session_id_context_breaks_with_a_certificate_too() {
    let lab = Lab::new();
    let credential = Credential::new(&lab.authority.issue_client("client"));
    let server = demanding(&lab, Library::OpenSsl, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    let reports = lab.probe(server.port(), |options| credential.set(options));
    assert_code(&reports, Code::BreaksWhenResumed);
}

#[test]
fn unusable_files_are_bad_input() {
    let lab = Lab::new();
    let identity = lab.authority.issue_client("client");
    let other = lab.authority.issue_client("other");
    let credential = Credential::new(&identity);
    let empty = file("");
    let missing = empty.path().with_file_name("not-there.pem");
    let other_key = file(&other.key_pem());
    let (cert, key) = (credential.cert.path(), credential.key.path());
    for (cert, key, message) in [
        (Some(cert), None, "--cert and --key belong together"),
        (None, Some(key), "--cert and --key belong together"),
        (Some(missing.as_path()), Some(key), "not-there.pem"),
        (Some(cert), Some(missing.as_path()), "not-there.pem"),
        (Some(empty.path()), Some(key), "no certificate in it"),
        (Some(cert), Some(empty.path()), "cannot read a private key"),
        (Some(cert), Some(other_key.path()), "client certificate"),
    ] {
        let mut options = lab.options(1);
        options.cert = cert.map(Into::into);
        options.key = key.map(Into::into);
        for backend in [
            probe::BackendChoice::Rustls,
            probe::BackendChoice::Openssl,
            probe::BackendChoice::RustlsPreview,
        ] {
            options.backend = backend;
            let error = Probe::new(&options).unwrap_err();
            assert!(matches!(error, Error::BadInput(_)), "{error:?}");
            let error = error.to_string();
            assert!(error.contains(message), "{message:?} is not in {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
