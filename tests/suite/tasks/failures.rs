//! Connections that cannot be made, and that break.

use std::io;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::tokio::{Backend, Connector};
use tls_resume::{CertificateError, ErrorKind, Resumption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clients::{Relay, Relaying, client, listen, servers, settings, talk, visit};
use crate::servers::HOST;

/// Connects to a server that closes the connection after so many bytes.
async fn closed_after<B: Backend>(client: &Connector<B>, server: &TcpServer, bytes: u64) -> String {
    let tcp = TcpStream::connect(server.address()).await.expect("TCP");
    let (read, write) = tcp.into_split();
    let io = tokio::io::join(read.take(bytes), write);
    let closed = client.connect_stream(HOST, server.port(), io).await;
    let error = closed.expect_err("the end");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    error.to_string()
}

/// A server speaks TLS if it sent TLS records, or has given a session before.
pub(crate) async fn advice_after_a_close_depends_on_the_server<B: Backend>() {
    for (version, server) in servers() {
        let client = client::<B>();
        let line = closed_after(&client, &server, 0).await;
        assert!(line.contains("check that it speaks TLS"), "{line}");
        let line = closed_after(&client, &server, 60).await;
        assert!(line.contains("it had answered in TLS"), "{version}: {line}");
        visit(&client, server.port()).await;
        let line = closed_after(&client, &server, 0).await;
        assert!(line.contains("had a session from it"), "{version}: {line}");
    }
}

/// R4: nothing is stored of a server that is not trusted.
pub(crate) async fn bad_certificates_are_rejected<B: Backend>() {
    let unknown_issuer = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    for version in Protocol::ALL {
        let strange = ServerSettings {
            protocols: vec![version],
            ..ServerSettings::new(unknown_issuer.clone())
        };
        let server = listen(Library::OpenSsl, &strange);
        let client = client::<B>();
        let error = client.connect(HOST, server.port()).await;
        let error = error.expect_err("an unknown issuer");
        assert_eq!(error.kind(), ErrorKind::Certificate, "{error}");
        assert_eq!(
            error.certificate_error(),
            Some(CertificateError::UnknownIssuer)
        );
        assert_eq!(client.blocking().stats().stored, 0);
    }
}

pub(crate) async fn unreachable_servers_are_errors<B: Backend>() {
    let free = listen(Library::Rustls, &settings(Protocol::Tls13)).port();
    let error = client::<B>().connect(HOST, free).await;
    assert_eq!(error.expect_err("a closed port").kind(), ErrorKind::Connect);
}

pub(crate) async fn invalid_hosts_are_rejected<B: Backend>() {
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

pub(crate) async fn an_end_without_close_notify_is_unexpected<B: Backend>() {
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

pub(crate) async fn writes_fail_after_shutdown<B: Backend>() {
    for (_, server) in servers() {
        let mut stream = visit(&client::<B>(), server.port()).await;
        let error = stream.write(b"more").await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        // A second shutdown does nothing, and the server's close_notify is the end.
        stream.shutdown().await.expect("close_notify");
        assert_eq!(stream.read(&mut [0; 8]).await.expect("an end"), 0);
    }
}

/// R9: a server rejects a resumption of TLS 1.2 by an alert after the client has finished.
pub(crate) async fn an_alert_removes_the_resumed_session<B: Backend>() {
    let server = listen(Library::OpenSsl, &settings(Protocol::Tls12));
    let client = client::<B>();
    visit(&client, server.port()).await;
    let connected = client.connect(HOST, server.port()).await;
    let mut stream = connected.expect("a connection");
    assert_eq!(stream.resumption(), Resumption::Resumed);
    // A record that the server cannot decrypt.
    let garbage = [&b"\x17\x03\x03\x00\x20"[..], &[0x5a; 32]].concat();
    stream.get_mut().write_all(&garbage).await.expect("a write");
    assert!(stream.read(&mut [0]).await.is_err());
    drop(stream);
    let stream = visit(&client, server.port()).await;
    assert_eq!(stream.resumption(), Resumption::Full);
}
