//! The same for suppaftp in tasks of tokio.

use std::fmt::Debug;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use async_trait::async_trait;
use suppaftp::tokio::{AsyncTlsConnector, TokioTlsStream};
use suppaftp::{FtpError, FtpResult};
use tls_resume::ConnectOptions;
use tls_resume::tokio::{Backend, Connector, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::secure_error;

/// The TLS of one client of FTP, which has one control connection: for `into_secure`.
#[derive(Debug)]
pub struct AsyncFtps<B: Backend + Debug> {
    connector: Connector<B>,
    port: u16,
    /// Set by the control connection, for the data connections.
    data: OnceLock<Connector<B>>,
}

impl<B: Backend + Debug> AsyncFtps<B> {
    /// For a control connection to this port.
    pub fn new(connector: &Connector<B>, port: u16) -> Self {
        Self {
            connector: connector.clone(),
            port,
            data: OnceLock::new(),
        }
    }
}

#[async_trait]
impl<B: Backend + Debug> AsyncTlsConnector for AsyncFtps<B> {
    type Stream = AsyncFtpsStream<B>;

    /// suppaftp calls it for the control connection first, and then for each data connection.
    async fn connect(&self, domain: &str, tcp: TcpStream) -> FtpResult<AsyncFtpsStream<B>> {
        let port = self.port;
        if let Some(data) = self.data.get() {
            let stream = data.connect_stream(domain, port, tcp).await;
            return stream
                .map(AsyncFtpsStream)
                .map_err(|error| secure_error(&error));
        }
        let keep = ConnectOptions::new().keep_session(true);
        let control = self.connector.connect_stream_with(domain, port, tcp, &keep);
        let control = control.await.map_err(|error| secure_error(&error))?;
        let data = self
            .connector
            .resuming(&control)
            .map_err(|error| secure_error(&error))?;
        self.data.get_or_init(|| data);
        Ok(AsyncFtpsStream(control))
    }
}

/// A control or data connection. suppaftp shuts it down, and reads an upload's to its end.
#[derive(Debug)]
pub struct AsyncFtpsStream<B: Backend + Debug>(Stream<B, TcpStream>);

impl<B: Backend + Debug> TokioTlsStream for AsyncFtpsStream<B> {
    type InnerStream = Stream<B, TcpStream>;

    fn tcp_stream(self) -> FtpResult<TcpStream> {
        let cloned = self.0.get_ref().as_fd().try_clone_to_owned();
        let tcp = cloned.and_then(|fd| TcpStream::from_std(fd.into()));
        tcp.map_err(FtpError::ConnectionError)
    }

    fn get_ref(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.0
    }
}

impl<B: Backend + Debug> AsyncRead for AsyncFtpsStream<B> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<B: Backend + Debug> AsyncWrite for AsyncFtpsStream<B> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
