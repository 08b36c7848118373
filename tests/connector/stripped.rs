//! OpenSSL without its peer's certificate in sessions.

use tls_resume::Resumption;
use tls_resume::openssl::{OpenSsl, PeerCertificate};

use crate::lab_client::{builder, client, each, server, visit_in_memory};

/// What a resumed connection knows is the same; only OpenSSL itself has no certificate.
#[test]
fn a_stripped_session_knows_its_chain() {
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

/// It decides nothing about trust: both have one domain.
#[test]
fn a_stripped_session_is_of_the_same_domain() {
    let strip = builder::<OpenSsl>().peer_certificate(PeerCertificate::Strip);
    let strip = strip.build().expect("valid settings");
    let keep = client::<OpenSsl>();
    assert_eq!(strip.security_domain(), keep.security_domain());
}
