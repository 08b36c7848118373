//! The doors: ways in which a connector connects.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use tls_resume::generic::{Connector, Stream};
use tls_resume::{Backend, Error, Resumption};

use crate::servers::{HOST, LONG};

/// How a connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) resumption: Resumption,
    /// Whether it was made again without a session.
    pub(crate) retried: bool,
}

/// A way to connect over TCP with a connector.
pub(crate) trait Door: Sync {
    type Backend: Backend;
    /// Whether it knows the address that a connection is to.
    const KNOWS_ADDRESS: bool = true;

    fn new(connector: Connector<Self::Backend>) -> Self;

    fn connector(&self) -> &Connector<Self::Backend>;

    /// Connects to this port of [`HOST`], exchanges data, which brings the tickets, and closes.
    fn visit(&self, port: u16) -> Result<Resumption, Error> {
        let talked = self.try_visit(port)?;
        Ok(talked.expect("an exchange of data").resumption)
    }

    /// As [`visit`](Self::visit); the inner error is one after the handshake.
    fn try_visit(&self, port: u16) -> Result<io::Result<Visit>, Error>;
}

/// The connector's blocking connections.
pub(crate) struct Blocking<B: Backend>(Connector<B>);

impl<B: Backend> Door for Blocking<B> {
    type Backend = B;

    fn new(connector: Connector<B>) -> Self {
        Self(connector)
    }

    fn connector(&self) -> &Connector<B> {
        &self.0
    }

    fn try_visit(&self, port: u16) -> Result<io::Result<Visit>, Error> {
        Ok(talk(self.0.connect(HOST, port)?))
    }
}

/// Exchanges data, waits for the tickets, and closes.
pub(super) fn talk<B: Backend>(mut stream: Stream<B, TcpStream>) -> io::Result<Visit> {
    let mut echo = [0; 5];
    stream.write_all(b"hello")?;
    stream.flush()?;
    stream.read_exact(&mut echo)?;
    assert_eq!(&echo, b"hello");
    stream.wait_for_tickets(LONG)?;
    stream.close()?;
    Ok(Visit {
        resumption: stream.resumption(),
        retried: stream.retried(),
    })
}

/// Stores the sessions of so many full handshakes with a TLS 1.3 server: of connections that are
/// made before the first tickets are read.
pub(crate) fn hold<B: Backend>(connector: &Connector<B>, port: u16, handshakes: usize) {
    let connect = |_| connector.connect(HOST, port).expect("a connection");
    let streams: Vec<_> = (0..handshakes).map(connect).collect();
    for stream in streams {
        talk(stream).expect("an exchange of data");
    }
}

#[cfg(feature = "tokio")]
pub(crate) use self::asynchronous::Tasks;
#[cfg(feature = "hyper")]
pub(crate) use self::hyper::{Hyper, Over};

#[cfg(feature = "tokio")]
mod asynchronous {
    use std::io;

    use tls_resume::Error;
    use tls_resume::generic::Connector;
    use tls_resume::tokio::{AsyncIo, Backend, Stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Runtime;

    use super::{Door, Visit};
    use crate::servers::{HOST, LONG};

    /// The connector's connections in tasks of tokio.
    pub(crate) struct Tasks<B: Backend> {
        connector: Connector<B>,
        runtime: Runtime,
    }

    impl<B: Backend> Door for Tasks<B> {
        type Backend = B;

        fn new(connector: Connector<B>) -> Self {
            let runtime = Runtime::new().expect("a runtime");
            Self { connector, runtime }
        }

        fn connector(&self) -> &Connector<B> {
            &self.connector
        }

        fn try_visit(&self, port: u16) -> Result<io::Result<Visit>, Error> {
            self.runtime.block_on(async {
                let stream = self.connector.tokio().connect(HOST, port).await?;
                Ok(talk(stream).await)
            })
        }
    }

    /// Exchanges data and closes.
    pub(super) async fn talk<B: Backend>(mut stream: Stream<B, impl AsyncIo>) -> io::Result<Visit> {
        let mut echo = [0; 5];
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        stream.read_exact(&mut echo).await?;
        assert_eq!(&echo, b"hello");
        stream.wait_for_tickets(LONG).await?;
        stream.shutdown().await?;
        Ok(Visit {
            resumption: stream.resumption(),
            retried: stream.retried(),
        })
    }
}

#[cfg(feature = "hyper")]
mod hyper {
    use std::io;

    use hyper::Uri;
    use hyper_util::client::legacy::connect::HttpConnector;
    use tls_resume::Error;
    use tls_resume::generic::Connector;
    use tls_resume::hyper::{HttpsConnector, HttpsOver, MaybeHttpsStream};
    use tls_resume::tokio::Backend;
    use tokio::runtime::Runtime;
    use tower_service::Service;

    use super::{Door, Visit, asynchronous};
    use crate::servers::HOST;

    /// The connections of hyper's client.
    pub(crate) struct Hyper<B: Backend> {
        https: HttpsConnector<B>,
        runtime: Runtime,
    }

    impl<B: Backend> Door for Hyper<B> {
        type Backend = B;

        fn new(connector: Connector<B>) -> Self {
            let https = HttpsConnector::new(&connector);
            let runtime = Runtime::new().expect("a runtime");
            Self { https, runtime }
        }

        fn connector(&self) -> &Connector<B> {
            self.https.connector()
        }

        fn try_visit(&self, port: u16) -> Result<io::Result<Visit>, Error> {
            let uri: Uri = format!("https://{HOST}:{port}/").parse().expect("a URI");
            self.runtime.block_on(async {
                let stream = self.https.clone().call(uri).await?;
                let MaybeHttpsStream::Tls(tls) = stream.into_inner() else {
                    panic!("this is no TLS");
                };
                Ok(asynchronous::talk(tls).await)
            })
        }
    }

    /// The connections of hyper's client over those of another connector.
    pub(crate) struct Over<B: Backend> {
        https: HttpsOver<B, HttpConnector>,
        runtime: Runtime,
    }

    impl<B: Backend> Door for Over<B> {
        type Backend = B;
        const KNOWS_ADDRESS: bool = false;

        fn new(connector: Connector<B>) -> Self {
            let mut tcp = HttpConnector::new();
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            let https = HttpsConnector::new(&connector).over(tcp);
            let runtime = Runtime::new().expect("a runtime");
            Self { https, runtime }
        }

        fn connector(&self) -> &Connector<B> {
            self.https.connector()
        }

        fn try_visit(&self, port: u16) -> Result<io::Result<Visit>, Error> {
            let uri: Uri = format!("https://{HOST}:{port}/").parse().expect("a URI");
            self.runtime.block_on(async {
                let tls = self.https.clone().call(uri).await?.into_inner();
                Ok(asynchronous::talk(tls).await)
            })
        }
    }
}
