//! TLS for tokio-postgres, and for the blocking `postgres` that is made of it, over either backend.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_resume::postgres::MakeTlsConnector;
//! use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
//!
//! let connector = Connector::builder().build()?;
//! let server = "host=db.example.com user=me password=secret sslmode=require";
//! let (client, connection) = tokio_postgres::connect(server, MakeTlsConnector::new(&connector)).await?;
//! tokio::spawn(connection);
//! println!("{:?}", client.simple_query("SELECT now()").await?);
//! println!("{} resumed", connector.stats().resumed); // of all connections of the connector
//! # Ok(())
//! # }
//! ```
//!
//! `postgres::Client::connect(server, MakeTlsConnector::new(&connector))` is the same without tasks.
//!
//! # What can be resumed
//! PostgreSQL itself never lets a client resume: it has switched its session cache and its tickets
//! off. (Before 12.20, 13.16, 14.13, 15.8 and 16.4 it sends tickets in TLS 1.3 nonetheless, and
//! declines them, at no cost but their bytes.) What stands in front of it often does:
//! `PgBouncer`, stunnel and other proxies that terminate TLS, and so do servers that speak its
//! protocol and have a TLS of another make.
//!
//! # TLS from the first byte
//! With `sslnegotiation=direct` (PostgreSQL 17 and newer) the protocol is agreed upon by ALPN:
//! the connector must be built with
//! [`alpn([b"postgresql".to_vec()])`](generic::ConnectorBuilder::alpn).
//!
//! # Channel binding
//! SCRAM-SHA-256-PLUS ties the password's proof to the server's certificate (`tls-server-end-point`,
//! RFC 5929), also where the handshake was resumed and no certificate was sent: the one of the full
//! handshake is known. There is none for a certificate whose signature has no hash of SHA-2's in it,
//! such as Ed25519; then `channel_binding=require` fails.

mod end_point;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::tokio::{AsyncIo, Backend, Stream};
use crate::{Error, generic};

/// PostgreSQL's own port, and that of a [`MakeTlsConnector`] which is told no other.
const PORT: u16 = 5432;

/// Makes the TLS connections of `tokio_postgres::Config::connect` and `postgres::Config::connect`,
/// resuming where it can. Cheap to clone; all clones use the same store.
///
/// A server is what the configuration calls `host`, and the [port](Self::port). The connector's
/// timeout bounds the handshake, and `connect_timeout` what comes before it. An error of the
/// handshake is an [`Error`] among the sources of tokio-postgres's own.
pub struct MakeTlsConnector<B: Backend> {
    tls: crate::tokio::Connector<B>,
    port: u16,
}

impl<B: Backend> MakeTlsConnector<B> {
    /// For servers on port 5432.
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            tls: connector.tokio(),
            port: PORT,
        }
    }

    /// For servers on another port.
    ///
    /// tokio-postgres says which host it connects to, and not which port; sessions are kept by both.
    /// It changes nothing but under which name sessions are found: it should be the one that is
    /// connected to, so that servers on several ports of one host are not offered each other's
    /// sessions, which they decline, and so that
    /// [`clear_server`](generic::Connector::clear_server) finds them.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The connector beneath: its counters, and what it can be told.
    pub fn connector(&self) -> &generic::Connector<B> {
        self.tls.blocking()
    }
}

impl<B: Backend, IO: AsyncIo + 'static> MakeTlsConnect<IO> for MakeTlsConnector<B> {
    type Stream = Stream<B, IO>;
    type TlsConnect = TlsConnector<B>;
    type Error = Infallible;

    /// Whether `host` is a name is asked when it is connected to: that of a Unix socket is none, and
    /// nobody speaks TLS there.
    fn make_tls_connect(&mut self, host: &str) -> Result<TlsConnector<B>, Infallible> {
        Ok(TlsConnector {
            to: self.clone(),
            host: host.to_owned(),
        })
    }
}

/// Makes one TLS connection to a host: what [`MakeTlsConnector`] gives to tokio-postgres.
pub struct TlsConnector<B: Backend> {
    to: MakeTlsConnector<B>,
    host: String,
}

impl<B: Backend, IO: AsyncIo + 'static> TlsConnect<IO> for TlsConnector<B> {
    type Stream = Stream<B, IO>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream<B, IO>, Error>> + Send>>;

    fn connect(self, io: IO) -> Self::Future {
        Box::pin(async move {
            let MakeTlsConnector { tls, port } = self.to;
            tls.connect_stream_until(&self.host, port, io, tls.end())
                .await
        })
    }
}

impl<B: Backend, IO: AsyncIo> TlsStream for Stream<B, IO> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.peer_certificates();
        let end_point = certificates.first().and_then(end_point::hash);
        end_point.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<B: Backend> Clone for MakeTlsConnector<B> {
    fn clone(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            port: self.port,
        }
    }
}

impl<B: Backend> fmt::Debug for MakeTlsConnector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeTlsConnector")
            .field("tls", &self.tls)
            .field("port", &self.port)
            .finish()
    }
}

impl<B: Backend> fmt::Debug for TlsConnector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("to", &self.to)
            .field("host", &self.host)
            .finish()
    }
}
