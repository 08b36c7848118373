//! TLS over the connections of another connector for hyper's client.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::hyper::Uri;
use ::hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::Destination;
use crate::deadline::{at, in_time};
use crate::host::Host;
use crate::tokio::{Backend, Stream};
use crate::{Error, ErrorKind, generic, transport};

/// Makes the TLS connections of hyper's client over those of another connector, such as a proxy's
/// tunnel. Made by [`HttpsConnector::over`](super::HttpsConnector::over).
///
/// A [`Service`] that connects to the host and port (default 443) of an `https` URI, within the
/// connector's timeout. A handshake that fails because of a session is made again, over a second
/// connection. Cheap to clone if `C` is; all clones share one store.
pub struct HttpsOver<B: Backend, C> {
    tls: crate::tokio::Connector<B>,
    transports: C,
}

impl<B: Backend, C> HttpsOver<B, C> {
    pub(super) fn new(tls: crate::tokio::Connector<B>, transports: C) -> Self {
        Self { tls, transports }
    }

    /// The blocking connector, with the statistics and the other methods.
    pub fn connector(&self) -> &generic::Connector<B> {
        self.tls.blocking()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<B, C> HttpsOver<B, C>
where
    B: Backend,
    C: Service<Uri, Response: Read + Write + Send + Unpin, Error: Into<BoxError>> + Clone,
{
    async fn connect(&self, uri: Uri) -> Result<Stream<B, TokioIo<C::Response>>, Error> {
        let to = Destination::parse(&uri)?;
        let (host, port) = (Host::parse(to.host)?, to.port);
        if !to.is_https {
            let host = host.as_str();
            return Err(Error::config(format_args!(
                "{host}: http is not allowed here: use https"
            )));
        }
        let deadline = self.tls.deadline();
        let first = async {
            let made = in_time(at(Some(deadline)), self.transport(&uri)).await;
            let timeout = self.tls.blocking().settings().timeout;
            let no_answer = |_| transport::no_answer(host.as_str(), port, timeout);
            let made = made.map_err(no_answer)?;
            let io = made.map_err(|error| unreached(&host, port, error))?;
            Ok((io, None, ()))
        };
        let again = async |()| self.transport(&uri).await.ok();
        let connecting = self.tls.over_made(&host, port, &[], deadline, first, again);
        connecting.await.map(|(stream, _)| stream)
    }

    async fn transport(&self, uri: &Uri) -> Result<TokioIo<C::Response>, BoxError> {
        let mut transports = self.transports.clone();
        let ready = poll_fn(|cx| transports.poll_ready(cx)).await;
        ready.map_err(Into::into)?;
        let made = transports.call(uri.clone()).await;
        made.map(TokioIo::new).map_err(Into::into)
    }
}

/// The error when the other connector made no connection.
fn unreached(host: &Host, port: u16, error: BoxError) -> Error {
    let host = host.as_str();
    let message = format!("{host}: no connection to port {port} ({error}): check the proxy");
    Error::new(ErrorKind::Connect, message).caused_by(error)
}

impl<B, C> Service<Uri> for HttpsOver<B, C>
where
    B: Backend,
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    C::Response: Read + Write + Connection + Send + Unpin + 'static,
{
    type Response = TokioIo<Stream<B, TokioIo<C::Response>>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}

impl<B: Backend, C: Clone> Clone for HttpsOver<B, C> {
    fn clone(&self) -> Self {
        Self::new(self.tls.clone(), self.transports.clone())
    }
}

impl<B: Backend, C> fmt::Debug for HttpsOver<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsOver")
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
