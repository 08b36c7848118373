//! An adapter for hyper's client, and for clients that are built on it.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//! use tls_resume::{Resumption, hyper};
//!
//! let connector = Connector::builder().alpn(["h2", "http/1.1"]).build()?;
//! let client = hyper::client::<_, String>(&connector); // requests have a String as their body
//! let answer = client.get("https://example.com/".parse()?).await?;
//! println!("{} {:?}", answer.status(), answer.extensions().get::<Resumption>());
//! # Ok(())
//! # }
//! ```
//!
//! # HTTP/2
//! The connector's ALPN decides; it is part of the security domain. With `h2` and then `http/1.1`
//! the server chooses; without ALPN, or with `http/1.1` alone, the client speaks HTTP/1.1. If the
//! server chooses `h2`, the client speaks HTTP/2, whatever the settings of hyper's client are.
//!
//! # Whether a connection was resumed
//! The [extensions](https://docs.rs/http/1/http/struct.Extensions.html) of each response contain
//! the [`Resumption`](crate::Resumption) and [`Protocol`](crate::Protocol) of its connection, and
//! hyper-util's [`HttpInfo`](hyper_util::client::legacy::connect::HttpInfo). Clients reuse idle
//! connections, so many responses can come from one handshake.
//!
//! # Options of a request
//! hyper-util's client passes a request's host to the connector, not its extensions, and reuses any
//! idle connection to the host. So requests with different [options](crate::ConnectOptions), such as
//! partitions, need a client each. [`Clients`] has them:
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn visit() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::{ConnectOptions, hyper::Clients, rustls::Connector};
//!
//! let clients = Clients::new(&Connector::builder().build()?);
//! let mut request = hyper::Request::get("https://example.com/").body(String::new())?;
//! request.extensions_mut().insert(ConnectOptions::new().partition("tenant-7"));
//! let answer = clients.request(request).await?;
//! # let _ = answer;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! No early data is sent. hyper's client reads no proxy from the environment: see below.
//!
//! # Proxies, and other transports
//! [`HttpsConnector::over`] makes TLS connections over those of any other connector for hyper's client,
//! such as hyper-util's `Tunnel` (CONNECT) and `SocksV5`, which are behind its feature `client-proxy`:
//!
//! ```ignore
//! let tunnel = Tunnel::new("http://proxy.example:3128".parse()?, HttpConnector::new());
//! let https = HttpsConnector::new(&connector).over(tunnel);
//! let client: Client<_, String> = Client::builder(TokioExecutor::new()).build(https);
//! ```
//!
//! # gRPC
//! tonic takes an [`HttpsConnector`] in `Endpoint::connect_with_connector`. Offer `h2` and nothing
//! else: gRPC needs HTTP/2, and some servers reject clients that do not offer it.
//!
//! If any crate enables one of tonic's own `tls-` features, tonic 0.14 rejects `https://` with any
//! connector but its own ("Connecting to HTTPS without TLS enabled"). Then set an `http://` URI on
//! the endpoint, and call the connector with the `https://` URI:
//!
//! ```ignore
//! let uri: Uri = "https://example.com".parse()?;
//! let target = uri.clone();
//! let connector = tower::service_fn(move |_| https.call(target.clone()));
//! let channel = Endpoint::from_static("http://example.com").origin(uri);
//! let channel = channel.connect_with_connector(connector).await?;
//! ```

mod clients;
mod over;
mod stream;

use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::hyper::Uri;
use ::hyper::body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

pub use self::clients::Clients;
pub use self::over::HttpsOver;
pub use self::stream::MaybeHttpsStream;
use crate::host::Host;
use crate::tokio::Backend;
use crate::{Error, generic};

/// Builds a client for `https://` that keeps idle connections for 90 seconds, and resumes sessions
/// on new ones.
///
/// For other settings, pass an [`HttpsConnector`] to hyper-util's own [`Client::builder`].
pub fn client<B, T>(connector: &generic::Connector<B>) -> Client<HttpsConnector<B>, T>
where
    B: Backend,
    T: Body + Send,
    T::Data: Send,
{
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .build(HttpsConnector::new(connector))
}

/// Makes the connections of hyper's client, and resumes sessions where it can.
///
/// A [`Service`] that connects to the scheme, host and port (default 443) of a URI, within the
/// connector's timeout. It fails with [`Error`], which is among the sources of the client's error.
/// Cheap to clone; all clones share one store.
pub struct HttpsConnector<B: Backend> {
    tls: crate::tokio::Connector<B>,
    allows_http: bool,
}

impl<B: Backend> HttpsConnector<B> {
    /// A connector for `https://` only; `http://` is an error of
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            tls: connector.tokio(),
            allows_http: false,
        }
    }

    /// Connects to `http://` as well: without TLS, to port 80 by default.
    #[must_use]
    pub fn https_or_http(self) -> Self {
        Self {
            allows_http: true,
            ..self
        }
    }

    /// The same for `https://`, over the connections that `transports` makes: a [`Service`] like those of
    /// hyper-util, to which the URI is passed on.
    #[must_use]
    pub fn over<C>(self, transports: C) -> HttpsOver<B, C> {
        HttpsOver::new(self.tls, transports)
    }

    /// The blocking connector, with the statistics and the other methods.
    pub fn connector(&self) -> &generic::Connector<B> {
        self.tls.blocking()
    }

    async fn connect(&self, uri: &Uri) -> Result<MaybeHttpsStream<B>, Error> {
        let Destination {
            is_https,
            host,
            port,
        } = Destination::parse(uri)?;
        if is_https {
            let tls = self.tls.connect(host, port).await?;
            return Ok(MaybeHttpsStream::Tls(tls));
        }
        let host = Host::parse(host)?;
        if !self.allows_http {
            let host = host.as_str();
            return Err(Error::config(format_args!(
                "{host}: http is not allowed here: use https, or allow it by https_or_http"
            )));
        }
        let tcp = self.tls.tcp(&host, port, self.tls.deadline()).await;
        tcp.map(MaybeHttpsStream::Plain)
    }
}

/// The server that a URI names.
struct Destination<'u> {
    is_https: bool,
    host: &'u str,
    port: u16,
}

impl<'u> Destination<'u> {
    fn parse(uri: &'u Uri) -> Result<Self, Error> {
        let (is_https, port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            scheme => {
                let scheme = scheme.unwrap_or_default();
                return Err(Error::config(format_args!(
                    "the scheme {scheme:?} is not supported: use https"
                )));
            }
        };
        let host = uri.host().unwrap_or_default();
        let port = match port_text(uri, host) {
            "" => port,
            given => given
                .parse::<NonZero<u16>>()
                .map(NonZero::get)
                .map_err(|error| {
                    let message =
                        format!("{host}: {given:?} is not a port: give one from 1 to 65535");
                    Error::config(message).caused_by(error)
                })?,
        };
        Ok(Self {
            is_https,
            host,
            port,
        })
    }
}

/// The port of a URI as text. [`Uri::port`] is `None` for an invalid port as well as for none.
fn port_text<'u>(uri: &'u Uri, host: &str) -> &'u str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (_, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    host_and_port
        .strip_prefix(host)
        .unwrap_or_default()
        .trim_start_matches(':')
}

impl<B: Backend> Service<Uri> for HttpsConnector<B> {
    type Response = TokioIo<MaybeHttpsStream<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}

impl<B: Backend> Clone for HttpsConnector<B> {
    fn clone(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            allows_http: self.allows_http,
        }
    }
}

impl<B: Backend> fmt::Debug for HttpsConnector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsConnector")
            .field("tls", &self.tls)
            .field("allows_http", &self.allows_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn destination(uri: &str) -> (bool, String, u16) {
        let uri = uri.parse().expect("a URI");
        let to = Destination::parse(&uri).expect("a destination");
        (to.is_https, to.host.to_owned(), to.port)
    }

    #[test]
    fn ports_have_a_default() {
        assert_eq!(destination("https://host/"), (true, "host".to_owned(), 443));
        assert_eq!(
            destination("https://host:/"),
            (true, "host".to_owned(), 443)
        );
        assert_eq!(
            destination("https://host:8443"),
            (true, "host".to_owned(), 8443)
        );
        assert_eq!(
            destination("http://host/?q"),
            (false, "host".to_owned(), 80)
        );
        assert_eq!(
            destination("http://a:b@host:81/"),
            (false, "host".to_owned(), 81)
        );
        assert_eq!(
            destination("https://[::1]:1/"),
            (true, "[::1]".to_owned(), 1)
        );
    }

    #[test]
    fn invalid_ports_are_rejected() {
        for uri in [
            "https://host:70000/",
            "https://host:0/",
            "https://a:b@host:x/",
            "http://[::1]:-1/",
        ] {
            let uri: Uri = uri.parse().expect("hyper takes it");
            let error = Destination::parse(&uri).err().expect("an error");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("is not a port"), "{error}");
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
    }

    #[test]
    fn other_schemes_are_rejected() {
        for uri in ["ftp://host/", "/path", "host:443"] {
            let uri: Uri = uri.parse().expect("a URI");
            let error = Destination::parse(&uri).err().expect("an error");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("is not supported"), "{error}");
        }
    }
}
