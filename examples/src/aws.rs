//! hyper's client as the HTTP client of AWS's SDKs:
//! `aws_config::defaults(version).http_client(ResumingClient::new(&connector))`.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_util::client::legacy::Client;
use tls_resume::generic::Connector;
use tls_resume::hyper::{self, HttpsConnector};
use tls_resume::tokio::Backend;

/// An HTTP client with a pool of its own. The timeouts in the SDK's settings do not apply to it.
pub struct ResumingClient<B: Backend>(Client<HttpsConnector<B>, SdkBody>);

impl<B: Backend> ResumingClient<B> {
    /// A client whose connections are the connector's.
    pub fn new(connector: &Connector<B>) -> Self {
        Self(hyper::client(connector))
    }

    async fn send(
        self,
        request: HttpRequest,
    ) -> Result<HttpResponse, Box<dyn Error + Send + Sync>> {
        let response = self.0.request(request.try_into_http1x()?).await?;
        Ok(response.map(SdkBody::from_body_1_x).try_into()?)
    }
}

impl<B: Backend> Clone for ResumingClient<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend> fmt::Debug for ResumingClient<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResumingClient").finish_non_exhaustive()
    }
}

impl<B: Backend> HttpConnector for ResumingClient<B> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = self.clone().send(request);
        HttpConnectorFuture::new(async { sent.await.map_err(|e| ConnectorError::other(e, None)) })
    }
}

impl<B: Backend> HttpClient for ResumingClient<B> {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
