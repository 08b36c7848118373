//! Connections that cannot be made, and the errors of hyper's client.

use std::error::Error as _;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use tls_resume::generic::Connector;
use tls_resume::hyper::client;
use tls_resume::tokio::Backend;
use tls_resume::{CertificateError, Error, ErrorKind};

use super::clients::{builder, connector, listen, uri};
use crate::servers::{HOST, authority};

async fn refused<B: Backend>(connector: &Connector<B>, uri: Uri) -> legacy::Error {
    let client = client::<_, String>(connector);
    let error = client.get(uri).await.expect_err("no connection");
    assert!(error.is_connect(), "{error:?}");
    error
}

/// Our error among the sources of the client's.
fn ours(error: &legacy::Error) -> &Error {
    let source = error.source().expect("a source");
    source.downcast_ref().expect("ours")
}

pub(crate) async fn certificate_errors_are_among_the_sources<B: Backend>() {
    let unknown_issuer = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    let server = Server::new(Library::Rustls, &ServerSettings::new(unknown_issuer));
    let server = TcpServer::start(server).expect("a free port");
    let connector = connector::<B>();
    let error = refused(&connector, uri(HOST, server.port())).await;
    let error = ours(&error);
    assert_eq!(error.kind(), ErrorKind::Certificate);
    assert_eq!(
        error.certificate_error(),
        Some(CertificateError::UnknownIssuer)
    );
    let text = error.to_string();
    assert!(
        text.starts_with("localhost: the server's certificate"),
        "{text}"
    );
    assert_eq!(connector.stats().stored, 0);
}

pub(crate) async fn silent_servers_run_into_the_timeout<B: Backend>() {
    let settings = ServerSettings::new(authority().issue(&[HOST]));
    let server = Server::new(Library::Rustls, &settings);
    let server = TcpServer::start_with(server, Behaviour::Silent).expect("a free port");
    let built = builder::<B>().timeout(Duration::from_millis(200)).build();
    let error = refused(&built.expect("valid settings"), uri(HOST, server.port())).await;
    assert_eq!(ours(&error).kind(), ErrorKind::Timeout, "{error:?}");
}

pub(crate) async fn closed_ports_are_errors<B: Backend>() {
    let free = listen(Library::Rustls, Protocol::Tls13, &[]).port();
    // IPv6 addresses have brackets in a URI only.
    for (host, shown) in [(HOST, "localhost:"), ("[::1]", "::1:")] {
        let error = refused(&connector::<B>(), uri(host, free)).await;
        assert_eq!(ours(&error).kind(), ErrorKind::Connect, "{error:?}");
        let text = ours(&error).to_string();
        assert!(text.starts_with(shown), "{text}");
    }
}
