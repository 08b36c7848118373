//! The HTTP client of AWS's SDKs with our sessions: `aws https://example.com/ roots.pem`.
//!
//! An SDK takes it by `aws_config::defaults(version).http_client(ResumingClient::new(&connector))`.
//! Here it is called as an SDK does.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use tls_resume::hyper::{self, HttpsConnector};
use tls_resume::rustls::{Connector, Rustls}; // or tls_resume::openssl::{Connector, OpenSsl}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An [`HttpClient`] with a pool of its own. It has none of the timeouts in the SDK's settings.
#[derive(Clone, Debug)]
struct ResumingClient(Client<HttpsConnector<Rustls>, SdkBody>);

impl ResumingClient {
    fn new(connector: &Connector) -> Self {
        Self(hyper::client(connector))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let response = self.0.request(request.try_into_http1x()?).await?;
        Ok(response.map(SdkBody::from_body_1_x).try_into()?)
    }
}

impl HttpConnector for ResumingClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = self.clone().send(request);
        HttpConnectorFuture::new(async { sent.await.map_err(|e| ConnectorError::other(e, None)) })
    }
}

impl HttpClient for ResumingClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let client = SharedHttpConnector::new(ResumingClient::new(&connector)); // a new pool
        let response = client.call(HttpRequest::get(&url)?).await?;
        println!("{:?}", response.into_body().collect().await?.to_bytes());
    }
    println!("{} resumed", connector.stats().resumed);
    Ok(())
}
