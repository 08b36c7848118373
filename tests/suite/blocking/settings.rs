//! The settings of a connector, and the errors of invalid ones.

use lab::certificate::Identity;
use lab::server::{Server, ServerSettings};
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::{Backend, ErrorKind, Protocol, Resumption};

use super::clients::{
    TemporaryFile, builder, error_line, last, start, talk, visit, visit_in_memory,
};
use crate::servers::{HOST, authority, each, good_server, listen, settings};

fn with_identity<B: Backend>(identity: Identity) -> ConnectorBuilder<B> {
    builder::<B>().client_certificate(identity.chain, identity.key)
}

pub(crate) fn client_certificates_are_sent_and_sessions_resumed<B: Backend>() {
    each(|library, version| {
        let settings = ServerSettings {
            client_root: Some(authority().root_der()),
            ..settings(version)
        };
        let server = listen(Server::new(library, &settings));
        let client = with_identity::<B>(authority().issue_client("client.lab.example"));
        let client = client.build().expect("valid settings");
        for count in 1..=2 {
            let mut stream = visit(&client, &server);
            talk(&mut stream);
            let seen = last(&server, count);
            assert!(seen.client_certificate, "{library} {version:?}");
            assert_eq!(seen.resumed, count == 2, "{library} {version:?}");
        }
    });
}

pub(crate) fn client_keys_must_match<B: Backend>() {
    let identity = Identity {
        key: authority().issue_client("another.lab.example").key,
        ..authority().issue_client("client.lab.example")
    };
    let line = error_line(with_identity::<B>(identity).build(), ErrorKind::Config);
    assert!(line.contains("client certificate"), "{line}");
}

pub(crate) fn alpn_is_negotiated<B: Backend>() {
    each(|library, version| {
        let settings = ServerSettings {
            alpn: vec![b"http/1.1".to_vec(), b"h2".to_vec()],
            ..settings(version)
        };
        let server = Server::new(library, &settings);
        let client = builder::<B>().alpn([b"spdy/3".to_vec(), b"h2".to_vec()]);
        let client = client.build().expect("valid settings");
        for resumption in [Resumption::Full, Resumption::Resumed] {
            let stream = visit_in_memory(&client, &server);
            assert_eq!(stream.alpn().as_deref(), Some(&b"h2"[..]), "{library}");
            assert_eq!(stream.resumption(), resumption);
        }
    });
}

pub(crate) fn only_allowed_versions_are_negotiated<B: Backend>() {
    let both = ServerSettings {
        protocols: Protocol::ALL.to_vec(),
        ..settings(Protocol::Tls13)
    };
    for library in lab::server::Library::ALL {
        let server = Server::new(library, &both);
        for (allowed, negotiated) in [
            (&[Protocol::Tls12][..], Protocol::Tls12),
            (&[Protocol::Tls13], Protocol::Tls13),
            (&[Protocol::Tls13, Protocol::Tls12], Protocol::Tls13),
        ] {
            let client = builder::<B>().protocols(allowed.iter().copied());
            let client = client.build().expect("valid settings");
            assert_eq!(start(&client, &server).protocol(), negotiated);
        }
    }

    let client = builder::<B>().protocols([Protocol::Tls12]);
    let client = client.build().expect("valid settings");
    let server = listen(good_server(Protocol::Tls13));
    error_line(client.connect(HOST, server.port()), ErrorKind::Handshake);
}

pub(crate) fn an_empty_list_of_versions_is_rejected<B: Backend>() {
    let line = error_line(builder::<B>().protocols([]).build(), ErrorKind::Config);
    assert!(line.contains("at least one"), "{line}");
}

pub(crate) fn invalid_alpn_names_are_rejected<B: Backend>() {
    for name in [Vec::new(), vec![b'x'; 256]] {
        let line = error_line(builder::<B>().alpn([name]).build(), ErrorKind::Config);
        assert!(line.contains("ALPN"), "{line}");
    }
    let longest = builder::<B>().alpn([vec![b'x'; 255]]).build();
    assert!(longest.is_ok());
}

pub(crate) fn invalid_root_files_are_rejected<B: Backend>() {
    let pem = authority().root_pem();
    let key = authority().issue(&[HOST]).key_pem();
    let (head, _) = pem.split_at(pem.len() / 2);
    // Valid PEM with an invalid certificate.
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, content) in [
        ("empty", &b""[..]),
        ("prose", b"no certificate\nat all\n"),
        ("binary", b"\xff\xfe\x00\x01"),
        ("key", key.as_bytes()),
        ("cut", head.as_bytes()),
        ("hollow", hollow.as_bytes()),
    ] {
        let file = TemporaryFile::new(name, content);
        let build = Connector::<B>::builder().roots_pem_file(&file.0);
        let line = error_line(build.build(), ErrorKind::Config);
        // The message does not quote the file.
        assert!(!line.contains("PRIVATE"), "{line}");
        let shown = file.0.display().to_string();
        assert!(line.contains(&shown) || name == "hollow", "{line}");
    }

    let file = TemporaryFile::new("valid", &pem);
    let server = good_server(Protocol::Tls13);
    let build = Connector::<B>::builder().roots_pem_file(&file.0);
    let client = build.build().expect("a valid file");
    visit_in_memory(&client, &server);
    let missing = file.0.with_extension("missing");
    for path in [missing, std::env::temp_dir()] {
        let build = builder::<B>().roots_pem_file(&path).build();
        let line = error_line(build, ErrorKind::Config);
        assert!(line.contains(&path.display().to_string()), "{line}");
    }
}

/// R24.
pub(crate) fn debug_shows_no_secret<B: Backend>() {
    const SECRET_DOMAIN: &str = "mail-out";
    let identity = authority().issue_client("client.lab.example");
    let key = identity.key.secret_der().to_vec();
    let builder = with_identity::<B>(identity).domain(SECRET_DOMAIN);
    let mut shown = vec![format!("{builder:?}"), format!("{builder:#?}")];
    let client = builder.build().expect("valid settings");
    let server = good_server(Protocol::Tls13);
    visit_in_memory(&client, &server);
    let mut stream = visit_in_memory(&client, &server);
    let facts = stream.get_mut().0.server().facts();
    let ticket = facts.and_then(|facts| facts.ticket).expect("a ticket");
    let error = client.connect("no host", 1).expect_err("no host");
    shown.extend([
        format!("{client:?}"),
        format!("{stream:?}"),
        format!("{error:?}"),
    ]);

    for text in shown {
        assert!(text.len() < 2000, "{text}");
        for secret in [&key[key.len() - 40..], &ticket[ticket.len() - 40..]] {
            for part in secret.chunks(8) {
                assert!(!text.contains(&as_list(part)), "{text}");
                assert!(!text.to_lowercase().contains(&as_hex(part)), "{text}");
            }
        }
    }
}

fn as_list(bytes: &[u8]) -> String {
    let list = format!("{bytes:?}");
    list.trim_matches(['[', ']']).to_owned()
}

fn as_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// It does not mean Mozilla's roots.
pub(crate) fn an_empty_list_of_roots_is_rejected<B: Backend>() {
    let error = Connector::<B>::builder().roots([]).build();
    let error = error.expect_err("no roots");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("at least one"), "{error}");
}

/// R6: an invalid host would match nothing.
pub(crate) fn never_resume_takes_servers_only<B: Backend>() {
    for host in [
        "bank.example:0",
        "https://bank.example",
        "*.bank.example",
        "",
        "a b",
    ] {
        let built = Connector::<B>::builder().never_resume([host]).build();
        let error = built.expect_err("not a host");
        assert_eq!(error.kind(), ErrorKind::Config, "{host}");
        assert!(
            error
                .to_string()
                .contains("give a DNS name or an IP address"),
            "{error}"
        );
    }
    for host in [
        "bank.example.",
        "BANK.example",
        "192.0.2.1",
        "[2001:db8::1]",
        "bank.example:443",
        "[2001:db8::1]:443",
    ] {
        let built = Connector::<B>::builder().never_resume([host]).build();
        built.expect("a host");
    }
}
