//! HTTPS for hyper's client, and for what is built on it, over either backend.
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
//! Whether HTTP/2 is spoken is the connector's ALPN, which is part of what sessions are kept apart
//! by. With `h2` first and `http/1.1` after it the server chooses, with none, or `http/1.1` alone,
//! HTTP/1.1 is spoken. A server that chooses `h2` gets HTTP/2, whatever the client was told.
//!
//! Each answer says in its [extensions](https://docs.rs/http/1/http/struct.Extensions.html) how the
//! connection was made that it came over: [`Resumption`](crate::Resumption),
//! [`Protocol`](crate::Protocol), and hyper-util's
//! [`HttpInfo`](hyper_util::client::legacy::connect::HttpInfo). Clients keep connections and use them
//! again, so that many answers tell of one handshake.
//!
//! Transports other than TCP, a proxy's tunnel among them, are for a connector of one's own around
//! [`connect_stream`](crate::tokio::Connector::connect_stream): its stream, in a
//! [`TokioIo`], is what hyper's client wants if the transport is one that it takes in plain. No early
//! data is sent.
//!
//! # gRPC
//! tonic takes an [`HttpsConnector`] in `Endpoint::connect_with_connector`. Offer `h2` and nothing
//! else: some servers refuse clients that offer no `h2`, and gRPC is spoken over nothing else.
//!
//! Where any crate switches on one of tonic's own `tls-` features, tonic 0.14 refuses `https://` to
//! any connector but its own ("Connecting to HTTPS without TLS enabled"). Then its endpoint is
//! `http://`, and the connector is told the truth:
//!
//! ```ignore
//! let uri: Uri = "https://example.com".parse()?;
//! let there = uri.clone();
//! let connector = tower::service_fn(move |_| https.call(there.clone()));
//! let channel = Endpoint::from_static("http://example.com").origin(uri);
//! let channel = channel.connect_with_connector(connector).await?;
//! ```

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

pub use self::stream::MaybeHttpsStream;
use crate::connector::Host;
use crate::tokio::Backend;
use crate::{Error, ErrorKind, generic};

/// A client for `https://` that keeps connections for 90 seconds and resumes those it does not keep.
///
/// What has to be set otherwise is set on hyper-util's own
/// [`Client::builder`], which takes an [`HttpsConnector`].
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

/// Makes the connections of hyper's client, resuming where it can.
///
/// A [`Service`] that takes a URI of scheme, host and port (443 if it has none) and connects, within
/// the connector's timeout. It fails with [`Error`], which is among the sources of the client's own.
/// Cheap to clone; all clones use the same store.
pub struct HttpsConnector<B: Backend> {
    tls: crate::tokio::Connector<B>,
    takes_http: bool,
}

impl<B: Backend> HttpsConnector<B> {
    /// Connects to `https://` only; `http://` is an error of [`ErrorKind::Config`].
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            tls: connector.tokio(),
            takes_http: false,
        }
    }

    /// Connects to `http://` as well: in plain, to port 80 if the URI has none.
    #[must_use]
    pub fn https_or_http(self) -> Self {
        Self {
            takes_http: true,
            ..self
        }
    }

    /// The connector beneath: its counters, and what it can be told.
    pub fn connector(&self) -> &generic::Connector<B> {
        self.tls.blocking()
    }

    async fn connect(&self, uri: &Uri) -> Result<MaybeHttpsStream<B>, Error> {
        let to = Destination::of(uri)?;
        if to.is_https {
            let tls = self.tls.connect(to.host, to.port).await?;
            return Ok(MaybeHttpsStream::Tls(tls));
        }
        let host = Host::parse(to.host)?.text;
        if !self.takes_http {
            let message = format!(
                "{host}: http is not allowed here: use https, or allow it by https_or_http"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let tcp = self.tls.tcp(&host, to.port, self.tls.end()).await;
        tcp.map(MaybeHttpsStream::Plain)
    }
}

/// Where a URI leads.
struct Destination<'u> {
    is_https: bool,
    host: &'u str,
    port: u16,
}

impl<'u> Destination<'u> {
    fn of(uri: &'u Uri) -> Result<Self, Error> {
        let (is_https, port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            scheme => {
                let scheme = scheme.unwrap_or_default();
                let message = format!("{scheme:?} is no scheme to connect with: use https");
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let host = uri.host().unwrap_or_default();
        let port = match port_of(uri, host) {
            "" => port,
            given => given
                .parse::<NonZero<u16>>()
                .map(NonZero::get)
                .map_err(|error| {
                    let message = format!("{host}: {given:?} is no port: give one from 1 to 65535");
                    Error::new(ErrorKind::Config, message).caused_by(error)
                })?,
        };
        Ok(Self {
            is_https,
            host,
            port,
        })
    }
}

/// What stands behind the host of a URI. [`Uri::port`] takes one that is none for a port left out.
fn port_of<'u>(uri: &'u Uri, host: &str) -> &'u str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    place
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
            takes_http: self.takes_http,
        }
    }
}

impl<B: Backend> fmt::Debug for HttpsConnector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsConnector")
            .field("tls", &self.tls)
            .field("takes_http", &self.takes_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led_to(uri: &str) -> (bool, String, u16) {
        let uri = uri.parse().expect("a URI");
        let to = Destination::of(&uri).expect("a destination");
        (to.is_https, to.host.to_owned(), to.port)
    }

    #[test]
    fn ports_have_a_default() {
        assert_eq!(led_to("https://host/"), (true, "host".to_owned(), 443));
        assert_eq!(led_to("https://host:/"), (true, "host".to_owned(), 443));
        assert_eq!(led_to("https://host:8443"), (true, "host".to_owned(), 8443));
        assert_eq!(led_to("http://host/?q"), (false, "host".to_owned(), 80));
        assert_eq!(
            led_to("http://a:b@host:81/"),
            (false, "host".to_owned(), 81)
        );
        assert_eq!(led_to("https://[::1]:1/"), (true, "[::1]".to_owned(), 1));
    }

    #[test]
    fn a_port_that_is_none_is_refused() {
        for uri in [
            "https://host:70000/",
            "https://host:0/",
            "https://a:b@host:x/",
            "http://[::1]:-1/",
        ] {
            let uri: Uri = uri.parse().expect("a URI to hyper");
            let error = Destination::of(&uri).err().expect("refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("is no port"), "{error}");
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for uri in ["ftp://host/", "/path", "host:443"] {
            let uri: Uri = uri.parse().expect("a URI");
            let error = Destination::of(&uri).err().expect("refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("is no scheme"), "{error}");
        }
    }
}
