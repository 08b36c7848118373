//! `PeerCertificate::Strip`: OpenSSL sessions without the server's certificate.

use tls_resume::Resumption;
use tls_resume::openssl::{OpenSsl, PeerCertificate};

use super::clients::{builder, client, visit_in_memory};
use crate::servers::{each, server};

/// Only `SSL_get_peer_certificate` has none.
#[test]
fn stripped_sessions_know_the_whole_chain() {
    each(|library, version| {
        let server = server(library, version);
        let client = builder::<OpenSsl>()
            .peer_certificate(PeerCertificate::Strip)
            .build()
            .expect("valid settings");
        let full = visit_in_memory(&client, &server);
        let sent = full.peer_certificates();
        assert!(sent.len() > 1 && full.ssl().peer_certificate().is_some());
        for _ in 0..3 {
            let stream = visit_in_memory(&client, &server);
            assert_eq!(stream.resumption(), Resumption::Resumed, "{library}");
            assert_eq!(stream.peer_certificates(), sent);
            assert!(stream.ssl().peer_certificate().is_none());
        }
    });
}

/// It does not decide over trust.
#[test]
fn stripping_leaves_the_domain_as_it_is() {
    let strip = builder::<OpenSsl>().peer_certificate(PeerCertificate::Strip);
    let strip = strip.build().expect("valid settings");
    let keep = client::<OpenSsl>();
    assert_eq!(strip.security_domain(), keep.security_domain());
}
