//! `http://`.

use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::rt::TokioExecutor;
use tls_resume::hyper::HttpsConnector;
use tls_resume::tokio::Backend;
use tls_resume::{ErrorKind, Resumption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_service::Service;

use super::clients::connector;

async fn listen() -> (TcpListener, Uri) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (
        listener,
        format!("http://{address}/").parse().expect("a URI"),
    )
}

/// Answers the first request.
async fn answer(listener: TcpListener) {
    let (mut tcp, _) = listener.accept().await.expect("a client");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(tcp.read_u8().await.expect("a request"));
    }
    assert!(request.starts_with(b"GET / HTTP/1.1\r\n"), "{request:?}");
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    tcp.write_all(answer).await.expect("a client that reads");
}

pub(crate) async fn http_is_rejected_unless_allowed<B: Backend>() {
    let (listener, uri) = listen().await;
    let mut https = HttpsConnector::new(&connector::<B>());
    let error = https.call(uri.clone()).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("use https"), "{error}");
    // It made no connection: the first one is that of the next call.
    let mut either = https.https_or_http();
    let (allowed, came) = tokio::join!(either.call(uri), listener.accept());
    let tcp = allowed.expect("connected");
    let (_, address) = came.expect("a client");
    let tls_resume::hyper::MaybeHttpsStream::Plain(tcp) = tcp.into_inner() else {
        panic!("this is TLS");
    };
    assert_eq!(tcp.local_addr().expect("an address"), address);
}

pub(crate) async fn allowed_http_has_no_tls<B: Backend>() {
    let (listener, uri) = listen().await;
    let https = HttpsConnector::new(&connector::<B>()).https_or_http();
    let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(https);
    let (answer, ()) = tokio::join!(client.get(uri), answer(listener));
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 204);
    assert!(answer.extensions().get::<HttpInfo>().is_some());
    assert_eq!(answer.extensions().get::<Resumption>(), None);
}

pub(crate) async fn unknown_hosts_are_errors<B: Backend>() {
    let mut https = HttpsConnector::new(&connector::<B>()).https_or_http();
    for scheme in ["http", "https"] {
        let uri = format!("{scheme}://nowhere.invalid/");
        let error = https.call(uri.parse().expect("a URI")).await;
        let error = error.err().expect("no address");
        assert_eq!(error.kind(), ErrorKind::Resolve, "{error}");
        assert!(error.to_string().contains("nowhere.invalid"), "{error}");
    }
}
