//! Connections that are not made, as hyper's client tells of them.

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

use crate::peer::{HOST, authority, builder, connector, listen, uri};

async fn refused<B: Backend>(connector: &Connector<B>, uri: Uri) -> legacy::Error {
    let client = client::<_, String>(connector);
    let error = client.get(uri).await.expect_err("no connection");
    assert!(error.is_connect(), "{error:?}");
    error
}

/// Ours among the sources of the client's error.
fn ours(error: &legacy::Error) -> &Error {
    let source = error.source().expect("a source");
    source.downcast_ref().expect("ours")
}

pub(crate) async fn a_certificate_that_is_refused_is_among_the_sources<B: Backend>() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    let server = Server::new(Library::Rustls, &ServerSettings::new(stranger));
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

pub(crate) async fn a_server_that_says_nothing_is_given_up<B: Backend>() {
    let settings = ServerSettings::new(authority().issue(&[HOST]));
    let server = Server::new(Library::Rustls, &settings);
    let server = TcpServer::start_with(server, Behaviour::Silent).expect("a free port");
    let built = builder::<B>().timeout(Duration::from_millis(200)).build();
    let error = refused(&built.expect("valid settings"), uri(HOST, server.port())).await;
    assert_eq!(ours(&error).kind(), ErrorKind::Timeout, "{error:?}");
}

pub(crate) async fn nobody_listens<B: Backend>() {
    let free = listen(Library::Rustls, Protocol::Tls13, &[]).port();
    // An address of IPv6 has brackets in a URI, and none where it is dialled.
    for (host, shown) in [(HOST, "localhost:"), ("[::1]", "::1:")] {
        let error = refused(&connector::<B>(), uri(host, free)).await;
        assert_eq!(ours(&error).kind(), ErrorKind::Connect, "{error:?}");
        let text = ours(&error).to_string();
        assert!(text.starts_with(shown), "{text}");
    }
}
