//! Debian's Dovecot with `ssl_verify_client_cert`, which sets no session-id context. The tests are
//! skipped unless run by root.

use std::io::{BufRead, BufReader};

use lab::dovecot::DovecotServer;
use tls_resume::Backend;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;

use super::common::{authority, builder, each};

/// It fails whenever a session is offered, by an alert in TLS 1.3 and a close in TLS 1.2. The caller
/// sees no error.
fn causes_no_error<B: Backend>() {
    let identity = authority().issue(&["localhost"]);
    let dovecot = DovecotServer::start_verifying(&identity, &authority().root_pem());
    let Some(dovecot) = dovecot.expect("a Dovecot") else {
        eprintln!("SKIPPED: only root can start Dovecot");
        return;
    };
    each(|protocol, has_certificate| {
        let builder = builder::<B>(has_certificate).protocols([protocol]);
        let connector = builder.build().expect("valid settings");
        for _ in 0..20 {
            let stream = connector.connect("localhost", dovecot.port());
            let mut greeting = String::new();
            let mut lines = BufReader::new(stream.expect("no error"));
            lines.read_line(&mut greeting).expect("a greeting");
            assert!(greeting.starts_with("* OK"), "{greeting}");
            lines.get_mut().close().expect("close_notify");
        }
        let stats = connector.stats();
        assert!((1..=2).contains(&stats.failed), "{protocol}: {stats:?}");
        let others = (stats.retried, stats.resumed);
        assert_eq!(others, (stats.failed, 0), "{protocol}: {stats:?}");
    });
}

#[test]
fn rustls() {
    causes_no_error::<Rustls>();
}

#[test]
fn openssl() {
    causes_no_error::<OpenSsl>();
}

#[test]
fn rustls_preview() {
    causes_no_error::<RustlsPreview>();
}
