//! Our connections for suppaftp, an FTP client: each data connection resumes the session of its own
//! control connection, which vsftpd and ProFTPD demand.

mod tasks;

use std::fmt::Debug;
use std::io;
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use suppaftp::{FtpError, FtpResult, ImplFtpStream, TlsConnector, TlsStream};
use tls_resume::generic::{Connector, Stream};
use tls_resume::{Backend, ConnectOptions, Resumption};

pub use self::tasks::{AsyncFtps, AsyncFtpsStream};

/// How long to wait for the server to close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The TLS of one client of FTP, which has one control connection: for `into_secure`.
#[derive(Debug)]
pub struct Ftps<B: Backend + Debug> {
    connector: Connector<B>,
    port: u16,
    /// Set by the control connection, for the data connections.
    data: OnceLock<Connector<B>>,
}

/// suppaftp's client with our connections.
pub type FtpsClient<B> = ImplFtpStream<FtpsStream<B>>;

impl<B: Backend + Debug> Ftps<B> {
    /// For a control connection to this port.
    pub fn new(connector: &Connector<B>, port: u16) -> Self {
        Self {
            connector: connector.clone(),
            port,
            data: OnceLock::new(),
        }
    }
}

impl<B: Backend + Debug> TlsConnector for Ftps<B> {
    type Stream = FtpsStream<B>;

    /// suppaftp calls it for the control connection first, and then for each data connection.
    fn connect(&self, domain: &str, tcp: TcpStream) -> FtpResult<FtpsStream<B>> {
        let port = self.port;
        let stream = if let Some(data) = self.data.get() {
            data.connect_stream(domain, port, tcp)
        } else {
            let keep = ConnectOptions::new().keep_session(true);
            let control = self.connector.connect_stream_with(domain, port, tcp, &keep);
            control.and_then(|control| {
                let data = self.connector.resuming(&control)?;
                self.data.get_or_init(|| data);
                Ok(control)
            })
        };
        stream.map(FtpsStream).map_err(|error| secure_error(&error))
    }
}

fn secure_error(error: &tls_resume::Error) -> FtpError {
    FtpError::SecureError(error.to_string())
}

/// A control or data connection.
#[derive(Debug)]
pub struct FtpsStream<B: Backend + Debug>(Stream<B, TcpStream>);

impl<B: Backend + Debug> From<Stream<B, TcpStream>> for FtpsStream<B> {
    fn from(stream: Stream<B, TcpStream>) -> Self {
        Self(stream)
    }
}

impl<B: Backend + Debug> FtpsStream<B> {
    /// Whether the session of the control connection was resumed.
    pub fn resumption(&self) -> Resumption {
        self.0.resumption()
    }
}

impl<B: Backend + Debug> TlsStream for FtpsStream<B> {
    type InnerStream = Stream<B, TcpStream>;

    fn tcp_stream(self) -> FtpResult<TcpStream> {
        let tcp = self.0.get_ref().try_clone();
        tcp.map_err(FtpError::ConnectionError)
    }

    fn get_ref(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.0
    }
}

impl<B: Backend + Debug> Drop for FtpsStream<B> {
    /// Ends an upload: suppaftp only drops the connection. Reads to the end, since tickets that are not
    /// read make a reset of the close, and the next data connection may need them (rustls 0.23).
    fn drop(&mut self) {
        let _ = self.0.get_ref().set_read_timeout(Some(CLOSE_TIMEOUT));
        let _ = self.0.close();
        let _ = io::copy(&mut self.0, &mut io::sink());
    }
}
