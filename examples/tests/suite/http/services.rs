//! hyper's client as a tower service, with the bounds of kube's `Client::new`, which takes one.

use std::error::Error;

use examples::serve::HttpsServer;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::{Request, Response};
use lab::server::{Library, Protocol};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;
use tower::{Service, ServiceExt};

use super::programs::assert_second_resumed;

type BoxError = Box<dyn Error + Send + Sync>;
type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Makes a request by a service of any type, as kube does.
async fn send<S, B>(service: S, request: Request<AnyBody>) -> Result<Bytes, BoxError>
where
    S: Service<Request<AnyBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = service.map_err(Into::into).boxed();
    let response = service.oneshot(request).await?;
    let body = response.into_body().collect().await;
    Ok(body.map_err(Into::into)?.to_bytes())
}

async fn a_service_resumes<B: Backend>() {
    for protocol in Protocol::ALL {
        let server = HttpsServer::start(Library::OpenSsl, protocol, &["h2", "http/1.1"]);
        let server = server.expect("a free port");
        let connector = Connector::<B>::builder()
            .roots_pem_file(server.roots())
            .alpn(["h2", "http/1.1"])
            .build();
        let connector = connector.expect("valid settings");
        for _ in 0..2 {
            let client = tls_resume::hyper::client(&connector); // a new pool
            let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
            let request = Request::get(server.url()).body(body).expect("a URL");
            assert_eq!(send(client, request).await.expect("a response"), "hello\n");
        }
        assert_second_resumed(&server, protocol);
    }
}

#[tokio::test]
async fn rustls() {
    a_service_resumes::<Rustls>().await;
}

#[tokio::test]
async fn openssl() {
    a_service_resumes::<OpenSsl>().await;
}
