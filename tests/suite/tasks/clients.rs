//! Clients for tasks, servers, and transports that stop.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic;
use tls_resume::tokio::{AsyncIo, Backend, Connector, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::servers::{HOST, LONG, authority};

pub(crate) fn settings(version: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![version],
        // Some tests lose a few.
        tickets: 4,
        ..ServerSettings::new(authority().issue(&[HOST, "127.0.0.1"]))
    }
}

pub(crate) fn listen(library: Library, settings: &ServerSettings) -> TcpServer {
    TcpServer::start(Server::new(library, settings)).expect("a free port")
}

/// A server of each library with each version.
pub(crate) fn servers() -> impl Iterator<Item = (Protocol, TcpServer)> {
    let of_each =
        |version| Library::ALL.map(|library| (version, listen(library, &settings(version))));
    Protocol::ALL.into_iter().flat_map(of_each)
}

pub(crate) fn builder<B: Backend>() -> generic::ConnectorBuilder<B> {
    generic::Connector::builder().roots([authority().root_der()])
}

pub(crate) fn client<B: Backend>() -> Connector<B> {
    builder().build().expect("valid settings").tokio()
}

/// Sends a word and reads the echo, and with it the tickets.
pub(crate) async fn talk(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut echo = [0; 5];
    stream.write_all(b"hello").await.expect("a write");
    stream.flush().await.expect("a flush");
    stream.read_exact(&mut echo).await.expect("a read");
    assert_eq!(&echo, b"hello");
}

/// Connects over TCP, exchanges data, waits for all tickets, and shuts down.
pub(crate) async fn visit<B: Backend>(client: &Connector<B>, port: u16) -> Stream<B, TcpStream> {
    let mut stream = client.connect(HOST, port).await.expect("a connection");
    talk(&mut stream).await;
    stream.wait_for_tickets(LONG).await.expect("a wait");
    stream.shutdown().await.expect("close_notify");
    stream
}

/// A transport that delivers `left` bytes from the server, and then is pending.
#[derive(Debug)]
pub(crate) struct Stuck<IO> {
    pub(crate) io: IO,
    pub(crate) left: usize,
}

impl<IO: AsyncIo> AsyncRead for Stuck<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, left } = &mut *self;
        if *left == 0 {
            return Poll::Pending;
        }
        let mut part = buf.take(*left);
        let read = Pin::new(io).poll_read(cx, &mut part);
        let came = part.filled().len();
        *left -= came;
        let filled = buf.filled().len() + came;
        buf.initialize_unfilled_to(came);
        buf.set_filled(filled);
        read
    }
}

impl<IO: AsyncIo> AsyncWrite for Stuck<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What a [`Relay`] does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relaying {
    /// Forwards everything.
    On,
    /// Accepts connections and sends nothing.
    Silent,
    /// Closes the open connections, without `close_notify`.
    Cut,
}

/// A TCP proxy before a server.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    relaying: watch::Sender<Relaying>,
}

impl Relay {
    pub(crate) async fn before(server: &TcpServer) -> Self {
        let to = server.address();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (relaying, now) = watch::channel(Relaying::On);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, to, now.clone()));
            }
        });
        Self { port, relaying }
    }

    pub(crate) fn set(&self, relaying: Relaying) {
        self.relaying.send_replace(relaying);
    }
}

async fn relay(
    mut client: TcpStream,
    to: std::net::SocketAddr,
    mut relaying: watch::Receiver<Relaying>,
) {
    if *relaying.borrow_and_update() == Relaying::Silent {
        // Until the client closes.
        let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        return;
    }
    let mut server = TcpStream::connect(to).await.expect("the server");
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = relaying.wait_for(|now| *now == Relaying::Cut) => {}
    }
}
