//! Requests of hyper in partitions.

use examples::serve::HttpsServer;
use http_body_util::BodyExt;
use hyper::Request;
use lab::server::{Library, Protocol};
use tls_resume::ConnectOptions;
use tls_resume::hyper::Clients;
use tls_resume::rustls::{Connector, Rustls};

/// R35: a request is sent over no connection of another partition, not even an idle one.
#[tokio::test]
async fn partitions_share_no_connection() {
    for alpn in [&["h2", "http/1.1"][..], &["http/1.1"]] {
        let server = HttpsServer::start(Library::Rustls, Protocol::Tls13, alpn);
        let server = server.expect("a free port");
        let connector = Connector::builder()
            .roots_pem_file(server.roots())
            .alpn(alpn.iter().copied())
            .build();
        let clients = Clients::<Rustls, String>::new(&connector.expect("valid settings"));
        for (partition, connections) in [
            (Some("a"), 1),
            (Some("a"), 1),
            (Some("b"), 2),
            (None, 3),
            (Some("b"), 3),
            (None, 3),
            (Some("a"), 3),
        ] {
            let mut request = Request::get(server.url()).body(String::new()).unwrap();
            if let Some(name) = partition {
                let options = ConnectOptions::new().partition(name);
                request.extensions_mut().insert(options);
            }
            let answer = clients.request(request).await.expect("an answer");
            let body = answer.into_body().collect().await;
            assert_eq!(body.expect("a body").to_bytes(), "hello\n");
            assert_eq!(server.handshakes().len(), connections, "{partition:?}");
        }
        assert!(!server.resumed().contains(&true));
    }
}
