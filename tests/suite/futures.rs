//! Connections over transports of futures-io, on smol: no runtime of tokio is there.

use std::time::{Duration, Instant};

use lab::server::{Library, Protocol, Server};
use lab::tcp::TcpServer;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use tls_resume::futures::{Backend, Connector, Stream};
use tls_resume::generic::{self, ConnectorBuilder};
use tls_resume::{ConnectOptions, ErrorKind, Resumption};

use crate::reading_to_the_end::ReadingToTheEnd;
use crate::servers::{HOST, LONG, authority, listen, server, settings};

/// A server of each library with each version.
fn servers() -> impl Iterator<Item = (Protocol, TcpServer)> {
    let of_each = |version| Library::ALL.map(|library| (version, listen(server(library, version))));
    Protocol::ALL.into_iter().flat_map(of_each)
}

fn builder<B: Backend>() -> ConnectorBuilder<B> {
    generic::Connector::builder().roots([authority().root_der()])
}

fn on_smol<B: Backend>(builder: ConnectorBuilder<B>) -> Connector<B> {
    let connector = builder.build().expect("valid settings");
    connector.futures(smol::Timer::after)
}

async fn tcp(port: u16) -> TcpStream {
    TcpStream::connect((HOST, port)).await.expect("TCP")
}

/// Sends a word and reads the echo, waits for all tickets, and closes.
async fn talk<B: Backend>(stream: &mut Stream<B, TcpStream>) {
    let mut echo = [0; 5];
    stream.write_all(b"hello").await.expect("a write");
    stream.flush().await.expect("a flush");
    stream.read_exact(&mut echo).await.expect("a read");
    assert_eq!(&echo, b"hello");
    stream.wait_for_tickets(LONG).await.expect("a wait");
    stream.close().await.expect("close_notify");
}

async fn visit<B: Backend>(client: &Connector<B>, port: u16) -> Stream<B, TcpStream> {
    let connected = client.connect_stream(HOST, port, tcp(port).await).await;
    let mut stream = connected.expect("a connection");
    let peer = stream.get_ref().peer_addr().expect("a peer");
    assert_eq!(peer.port(), port);
    talk(&mut stream).await;
    stream
}

async fn connections_resume<B: Backend>() {
    for (version, server) in servers() {
        let client = on_smol(builder::<B>());
        for expected in [Resumption::Full, Resumption::Resumed] {
            let mut stream = visit(&client, server.port()).await;
            assert_eq!(stream.resumption(), expected, "{version}");
            let written = stream.write(b"more").await;
            assert!(written.is_err(), "it is closed");
        }
        let facts = server.wait_for_handshakes(2, LONG);
        assert!(facts[1].resumed, "{version}");
    }
}

async fn connections_have_their_own_options<B: Backend>() {
    for (version, server) in servers() {
        let (client, port) = (on_smol(builder::<B>()), server.port());
        visit(&client, port).await;
        let options = ConnectOptions::new().partition("tenant-7");
        let io = tcp(port).await;
        let connected = client.connect_stream_with(HOST, port, io, &options).await;
        let stream = connected.expect("a connection");
        assert_eq!(stream.resumption(), Resumption::Full, "{version}");
    }
}

async fn kin_resume_their_own_connection<B: Backend>() {
    for (version, server) in servers() {
        let (client, port) = (on_smol(builder::<B>()), server.port());
        let keep = ConnectOptions::new().keep_session(true);
        let connected = client.with_options(&keep);
        let first = visit(&connected, port).await;
        let io = tcp(port).await;
        let kin = client.connect_stream_resuming(&first, io).await;
        let kin = kin.expect("a connection");
        assert_eq!(kin.resumption(), Resumption::Resumed, "{version}");
    }
}

async fn early_data_arrives<B: Backend>() {
    for library in Library::ALL {
        let mut settings = settings(Protocol::Tls13);
        settings.max_early_data = 1024;
        let server = listen(Server::new(library, &settings));
        let (client, port) = (on_smol(builder::<B>().early_data(true)), server.port());
        visit(&client, port).await;
        let io = tcp(port).await;
        let connected = client.connect_stream_early(HOST, port, io, b"early").await;
        let (mut stream, accepted) = connected.expect("a connection");
        assert_eq!(accepted, 5, "{library}");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.expect("a read");
        assert_eq!(&echo, b"early");
    }
}

/// R9: a session that makes a server hang is not offered again.
async fn connect_stream_until_counts_a_timeout_as_a_failure<B: Backend>() {
    for (version, server) in servers() {
        let (client, port) = (on_smol(builder::<B>()), server.port());
        visit(&client, port).await;
        let (io, _silent) = silence().await;
        let end = Instant::now() + Duration::from_millis(100);
        let connected = client.connect_stream_until(HOST, port, io, end).await;
        let error = connected.expect_err("a timeout");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{version} {error}");
        let stats = client.blocking().stats();
        assert_eq!((stats.failed, stats.cancelled), (1, 0), "{version}");
        let stream = visit(&client, port).await;
        assert_eq!(stream.resumption(), Resumption::Full, "{version}");
    }
}

/// A connection to a server that sends nothing, and that server's end of it.
async fn silence() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let client = TcpStream::connect(("127.0.0.1", port)).await;
    let (server, _) = listener.accept().await.expect("a client");
    (client.expect("TCP"), server)
}

/// The others stay in the store, and a TLS 1.2 session does, too.
async fn a_cancelled_handshake_uses_up_one_ticket_at_most<B: Backend>() {
    for (version, server) in servers() {
        let (client, port) = (on_smol(builder::<B>()), server.port());
        visit(&client, port).await;
        let before = client.blocking().stats();
        let (io, _silent) = silence().await;
        let connecting = async {
            let connected = client.connect_stream(HOST, port, io).await;
            panic!("nobody answers: {connected:?}");
        };
        let cancelled = async {
            smol::Timer::after(Duration::from_millis(100)).await;
        };
        smol::future::or(connecting, cancelled).await;
        let after = client.blocking().stats();
        assert_eq!(
            (after.cancelled, after.failed),
            (before.cancelled + 1, before.failed)
        );
        let used_up = u64::from(version == Protocol::Tls13);
        assert_eq!(after.sessions, before.sessions - used_up, "{version}");
        let stream = visit(&client, port).await;
        assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
    }
}

/// Tickets that the client has not read make no reset, which could cost the server the last data.
async fn closing_with_unread_tickets_is_no_reset<B: Backend>() {
    for library in Library::ALL {
        for version in Protocol::ALL {
            let server = ReadingToTheEnd::start(&Server::new(library, &settings(version)));
            let client = on_smol(builder::<B>());
            let io = tcp(server.port()).await;
            let connected = client.connect_stream(HOST, server.port(), io).await;
            let mut stream = connected.expect("a connection");
            stream.write_all(b"last words").await.expect("a write");
            stream.flush().await.expect("a flush");
            server.wait_for_the_tickets();
            stream.close().await.expect("close_notify");
            drop(stream);
            let received = server.received().expect("an end without a reset");
            assert_eq!(received, b"last words", "{library} {version:?}");
        }
    }
}

#[cfg(feature = "lmdb")]
async fn sessions_are_fetched_from_a_file<B: Backend + tls_resume::Shareable>() {
    for (version, server) in servers() {
        let place = tempfile::tempdir().expect("a directory");
        let client = || {
            let url = format!("lmdb:{}", place.path().join("sessions").display());
            on_smol(builder::<B>().store(url).store_timeout(LONG))
        };
        let first = client();
        visit(&first, server.port()).await;
        assert!(first.flush(LONG).await, "{version}");
        drop(first);
        let second = client();
        let stream = visit(&second, server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
        assert!(second.flush(LONG).await, "{version}");
        let third = client();
        third.prefetch(HOST, server.port()).await;
        assert_eq!(third.blocking().stats().sessions, 1, "{version}");
    }
}

macro_rules! on_smol {
    ($name:ident: $backend:ty; $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[test]
                fn $test() {
                    smol::block_on(super::$test::<$backend>());
                }
            )+
        }
    };
}

macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        #[cfg(feature = "rustls")]
        on_smol! { rustls: tls_resume::rustls::Rustls; $($test),+ }
        #[cfg(feature = "openssl")]
        on_smol! { openssl: tls_resume::openssl::OpenSsl; $($test),+ }
        #[cfg(feature = "rustls-preview")]
        on_smol! { rustls_preview: tls_resume::rustls_preview::RustlsPreview; $($test),+ }
    };
}

on_every_backend! {
    connections_resume,
    connections_have_their_own_options,
    kin_resume_their_own_connection,
    early_data_arrives,
    connect_stream_until_counts_a_timeout_as_a_failure,
    a_cancelled_handshake_uses_up_one_ticket_at_most,
    closing_with_unread_tickets_is_no_reset,
}

#[cfg(all(feature = "lmdb", feature = "openssl"))]
on_smol! {
    openssl_shared: tls_resume::openssl::OpenSsl;
    sessions_are_fetched_from_a_file,
}

#[cfg(all(feature = "lmdb", feature = "rustls-preview"))]
on_smol! {
    rustls_preview_shared: tls_resume::rustls_preview::RustlsPreview;
    sessions_are_fetched_from_a_file,
}
