//! Connections that are made.

use hyper::Request;
use hyper::http::Extensions;
use hyper_util::client::legacy::connect::HttpInfo;
use lab::server::Library;
use tls_resume::hyper::{Clients, HttpsConnector};
use tls_resume::tokio::Backend;
use tls_resume::{ConnectOptions, Protocol, Resumption};

use super::clients::{connector, listen, uri, visit};
use crate::servers::HOST;

pub(crate) async fn second_connections_resume<B: Backend>() {
    for library in Library::ALL {
        for version in Protocol::ALL {
            let server = listen(library, version, &["h2"]);
            let https = HttpsConnector::new(&connector::<B>());
            for expected in [Resumption::Full, Resumption::Resumed] {
                let (_, tls) = visit(&https, uri(HOST, server.port())).await;
                assert_eq!(tls.resumption(), expected, "{library} {version}");
            }
            let seen = server.handshakes();
            let resumed: Vec<_> = seen.iter().map(|seen| seen.resumed).collect();
            assert_eq!(resumed, [false, true], "{library} {version}");
            assert_eq!(https.connector().stats().resumed, 1);
        }
    }
}

pub(crate) async fn answers_have_the_connections_resumption_and_protocol<B: Backend>() {
    let https = HttpsConnector::new(&connector::<B>());
    for (alpn, is_h2) in [(&["h2"][..], true), (&["http/1.1"], false), (&[], false)] {
        for (version, protocol) in [
            (Protocol::Tls12, Protocol::Tls12),
            (Protocol::Tls13, Protocol::Tls13),
        ] {
            let server = listen(Library::OpenSsl, version, alpn);
            for resumption in [Resumption::Full, Resumption::Resumed] {
                let (connected, _) = visit(&https, uri(HOST, server.port())).await;
                assert_eq!(connected.is_negotiated_h2(), is_h2, "{alpn:?}");
                let mut told = Extensions::new();
                connected.get_extras(&mut told);
                assert_eq!(told.get::<Resumption>(), Some(&resumption));
                assert_eq!(told.get::<Protocol>(), Some(&protocol));
                let info = told.get::<HttpInfo>().expect("addresses");
                assert_eq!(info.remote_addr(), server.address());
            }
        }
    }
}

pub(crate) async fn hosts_are_those_of_the_uri<B: Backend>() {
    let server = listen(Library::Rustls, Protocol::Tls13, &[]);
    let https = HttpsConnector::new(&connector::<B>());
    // Names ignore case; the address is another server.
    for (host, resumption) in [
        (HOST, Resumption::Full),
        ("LOCALHOST", Resumption::Resumed),
        ("127.0.0.1", Resumption::Full),
        ("127.0.0.1", Resumption::Resumed),
    ] {
        let (_, tls) = visit(&https, uri(host, server.port())).await;
        assert_eq!(tls.resumption(), resumption, "{host}");
    }
    let sent = server.handshakes();
    let sent: Vec<_> = sent
        .iter()
        .map(|seen| seen.server_name.as_deref())
        .collect();
    assert_eq!(sent, [Some(HOST), Some(HOST), None, None]);
}

pub(crate) async fn sessions_are_shared_with_the_connector<B: Backend>() {
    let server = listen(Library::OpenSsl, Protocol::Tls13, &["h2"]);
    let connector = connector::<B>();
    visit(&HttpsConnector::new(&connector), uri(HOST, server.port())).await;
    let stream = connector.tokio().connect(HOST, server.port()).await;
    assert_eq!(stream.expect("connected").resumption(), Resumption::Resumed);
}

/// R35, R36. The server's answer is no HTTP, so each request makes a connection.
pub(crate) async fn requests_have_their_own_options<B: Backend>() {
    let server = listen(Library::OpenSsl, Protocol::Tls13, &["http/1.1"]);
    let clients = Clients::<B, String>::new(&connector());
    let partition = |name: &str| Some(ConnectOptions::new().partition(name));
    let off = Some(ConnectOptions::new().resumption(false));
    for (options, expected) in [
        (None, false),
        (partition("a"), false),
        (off.clone(), false),
        (partition("b"), false),
        (partition("a"), true),
        (off, false),
        (None, true),
    ] {
        let request = Request::get(uri(HOST, server.port()));
        let mut request = request.body(String::new()).expect("a request");
        let seen = server.handshakes().len();
        let text = format!("{options:?}");
        if let Some(options) = options {
            request.extensions_mut().insert(options);
        }
        clients.clone().request(request).await.expect_err("an echo");
        let handshakes = server.handshakes();
        assert_eq!(handshakes.len(), seen + 1, "{text}");
        assert_eq!(handshakes[seen].resumed, expected, "{text}");
    }
}
