//! Connections that are not made, and that break.

use std::io;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, ServerSettings};
use tls_resume::tokio::Backend;
use tls_resume::{CertificateError, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{HOST, Relay, Relaying, client, listen, servers, settings, talk, visit};

/// R4: nothing is kept of what is not trusted.
pub(crate) async fn certificates_that_are_refused<B: Backend>() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    for version in Protocol::ALL {
        let strange = ServerSettings {
            protocols: vec![version],
            ..ServerSettings::new(stranger.clone())
        };
        let server = listen(Library::OpenSsl, &strange);
        let client = client::<B>();
        let error = client.connect(HOST, server.port()).await;
        let error = error.expect_err("a stranger");
        assert_eq!(error.kind(), ErrorKind::Certificate, "{error}");
        assert_eq!(
            error.certificate_error(),
            Some(CertificateError::UnknownIssuer)
        );
        assert_eq!(client.blocking().stats().stored, 0);
    }
}

pub(crate) async fn servers_that_are_not_there<B: Backend>() {
    let free = listen(Library::Rustls, &settings(Protocol::Tls13)).port();
    let error = client::<B>().connect(HOST, free).await;
    assert_eq!(error.expect_err("nobody").kind(), ErrorKind::Connect);
}

pub(crate) async fn hosts_that_are_none<B: Backend>() {
    let client = client::<B>();
    for (host, kind) in [
        ("no host", ErrorKind::Name),
        ("", ErrorKind::Name),
        ("nowhere.invalid", ErrorKind::Resolve),
    ] {
        let error = client.connect(host, 443).await.expect_err("no host");
        assert_eq!(error.kind(), kind, "{error}");
        let found = error.to_string();
        assert!(found.contains(host), "{found}");
    }
}

pub(crate) async fn the_end_without_a_word_is_unexpected<B: Backend>() {
    for (version, server) in servers() {
        let relay = Relay::before(&server).await;
        let client = client::<B>();
        let mut stream = client.connect(HOST, relay.port).await.expect("connected");
        talk(&mut stream).await;
        relay.set(Relaying::Cut);
        let error = stream.read(&mut [0; 8]).await.expect_err("cut off");
        assert_eq!(
            error.kind(),
            io::ErrorKind::UnexpectedEof,
            "{version} {error}"
        );
    }
}

pub(crate) async fn nothing_is_written_after_the_farewell<B: Backend>() {
    for (_, server) in servers() {
        let mut stream = visit(&client::<B>(), server.port()).await;
        let error = stream.write(b"more").await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        // Once more does no harm, and the server's own farewell is an end like any other.
        stream.shutdown().await.expect("a farewell");
        assert_eq!(stream.read(&mut [0; 8]).await.expect("an end"), 0);
    }
}
