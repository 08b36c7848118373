//! An adapter for tokio-postgres, and for the blocking `postgres` that is built on it.
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
//! For blocking code: `postgres::Client::connect(server, MakeTlsConnector::new(&connector))`.
//!
//! # What can be resumed
//! PostgreSQL itself never lets a client resume: it disables its session cache and tickets. (Before
//! 12.20, 13.16, 14.13, 15.8 and 16.4 it sends TLS 1.3 tickets all the same, and declines them,
//! which costs only their bytes.) Proxies in front of it that terminate TLS, such as `PgBouncer`
//! and stunnel, often resume, and so do other servers that speak its protocol.
//!
//! # TLS from the first byte
//! With `sslnegotiation=direct` (PostgreSQL 17 and newer) the protocol is negotiated by ALPN: build the
//! connector with
//! [`alpn([b"postgresql".to_vec()])`](generic::ConnectorBuilder::alpn).
//!
//! # Channel binding
//! SCRAM-SHA-256-PLUS binds the authentication to the server's certificate (`tls-server-end-point`,
//! RFC 5929, section 4); on resumed connections, to the certificate of the full handshake. There is
//! no channel binding for a certificate whose signature algorithm has no hash function, such as
//! Ed25519: then `channel_binding=require` fails.

mod end_point;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::tokio::{AsyncIo, Backend, Stream};
use crate::{Error, generic};

/// PostgreSQL's default port.
const PORT: u16 = 5432;

/// Makes the TLS connections of `tokio_postgres::Config::connect` and `postgres::Config::connect`, and
/// resumes sessions where it can. Cheap to clone; all clones share one store.
///
/// Sessions are keyed by the `host` of the configuration and the [port](Self::port). The
/// connector's timeout bounds the handshake, and `connect_timeout` what comes before it. If the
/// handshake fails, its [`Error`] is among the sources of tokio-postgres's error.
pub struct MakeTlsConnector<B: Backend> {
    tls: crate::tokio::Connector<B>,
    port: u16,
}

impl<B: Backend> MakeTlsConnector<B> {
    /// A connector for servers on port 5432.
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            tls: connector.tokio(),
            port: PORT,
        }
    }

    /// Sets the port of the servers.
    ///
    /// tokio-postgres passes the host that it connects to, but not the port, and sessions are keyed
    /// by both. Set the actual port: otherwise servers on several ports of one host are offered
    /// each other's sessions, which they decline, and
    /// [`clear_server`](generic::Connector::clear_server) with the actual port does not find them.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The blocking connector, with the statistics and the other methods.
    pub fn connector(&self) -> &generic::Connector<B> {
        self.tls.blocking()
    }
}

impl<B: Backend, IO: AsyncIo + 'static> MakeTlsConnect<IO> for MakeTlsConnector<B> {
    type Stream = Stream<B, IO>;
    type TlsConnect = TlsConnector<B>;
    type Error = Infallible;

    /// Does not fail if `host` is not valid, since it may be the path of a Unix socket, which is
    /// used without TLS. `TlsConnector::connect` would fail.
    fn make_tls_connect(&mut self, host: &str) -> Result<TlsConnector<B>, Infallible> {
        Ok(TlsConnector {
            maker: self.clone(),
            host: host.to_owned(),
        })
    }
}

/// Makes one TLS connection to a host, for tokio-postgres.
pub struct TlsConnector<B: Backend> {
    maker: MakeTlsConnector<B>,
    host: String,
}

impl<B: Backend, IO: AsyncIo + 'static> TlsConnect<IO> for TlsConnector<B> {
    type Stream = Stream<B, IO>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream<B, IO>, Error>> + Send>>;

    fn connect(self, io: IO) -> Self::Future {
        Box::pin(async move {
            let MakeTlsConnector { tls, port } = self.maker;
            tls.connect_stream_until(&self.host, port, io, tls.deadline())
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
            .field("maker", &self.maker)
            .field("host", &self.host)
            .finish()
    }
}
