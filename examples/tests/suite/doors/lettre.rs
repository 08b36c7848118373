//! lettre's STARTTLS, which connects again where a resumption fails.

use std::net::SocketAddr;
use std::time::Duration;

use lab::faults::{Fault, FaultyProxy};
use lab::postfix::PostfixServer;
use lab::server::{Library, Protocol};
use lab::tcp::TcpServer;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tls_resume::generic::Connector;
use tls_resume::lettre::{SmtpStream, connect_starttls, starttls};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::tokio::Backend;
use tls_resume::{Alert, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::common::{
    CONNECTIONS_FOR_ALL_TICKETS, FAULTS, authority, builder, correct_server, each, failures,
    server_without_context,
};
use super::starttls_server::{Before, StartTlsServer};

fn hello() -> ClientId {
    ClientId::Domain("localhost".to_owned())
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// Connects and exchanges data with a server that echoes it.
pub(super) async fn visit<B: Backend>(connector: &Connector<B>, port: u16) -> Result<(), Error> {
    echo(connect_starttls(connector, "localhost", port, &hello()).await?).await;
    Ok(())
}

async fn echo<B: Backend>(mut stream: SmtpStream<B, TcpStream>) {
    let mut greeting = [0; 11];
    stream.read_exact(&mut greeting).await.expect("a greeting");
    assert_eq!(&greeting, b"220 ready\r\n");
    stream.write_all(b"hello").await.expect("a write");
    stream.flush().await.expect("a flush");
    let mut echo = [0; 5];
    stream.read_exact(&mut echo).await.expect("an echo");
    stream.shutdown().await.expect("close_notify");
}

fn listen(protocol: Protocol) -> (TcpServer, StartTlsServer) {
    let tls = TcpServer::start(server_without_context(protocol)).expect("a port");
    let server = StartTlsServer::start(Before::Smtp, tls.address());
    (tls, server)
}

/// The second connection begins with EHLO and STARTTLS, as the first one did.
fn a_server_without_session_id_context_causes_no_error<B: Backend>() {
    let runtime = runtime();
    each(|protocol, has_certificate| {
        let (_tls, server) = listen(protocol);
        let connector = builder::<B>(has_certificate)
            .build()
            .expect("valid settings");
        for _ in 0..20 {
            let visited = runtime.block_on(visit(&connector, server.port()));
            visited.expect("no error");
        }
        let stats = connector.stats();
        let counted = (stats.failed, stats.retried, stats.avoided);
        assert_eq!(counted, (1, 1, 18), "{protocol}: {stats:?}");
        assert_eq!(server.begun(), 21);
    });
}

/// Without the retry, and over a transport of the caller's, there is one error.
fn a_server_without_session_id_context_causes_one_error_without_the_retry<B: Backend>() {
    let runtime = runtime();
    each(|protocol, has_certificate| {
        let (_tls, server) = listen(protocol);
        let builder = builder::<B>(has_certificate);
        let connector = builder.retry_failed_resumption(false).build();
        let connector = connector.expect("valid settings");
        let failed = failures(20, || runtime.block_on(visit(&connector, server.port())));
        assert_eq!((failed, server.begun()), (1, 20), "{protocol}");
    });
    let (_tls, server) = listen(Protocol::Tls13);
    let connector = builder::<B>(false).build().expect("valid settings");
    let over_tcp = async || {
        let tcp = TcpStream::connect(server.address).await.expect("TCP");
        let stream = starttls(&connector, "localhost", server.port(), &hello(), tcp).await;
        echo(stream?).await;
        Ok::<(), Error>(())
    };
    assert_eq!(failures(20, || runtime.block_on(over_tcp())), 1);
}

fn a_resumption_that_breaks_causes_no_error<B: Backend>() {
    let runtime = runtime();
    for protocol in Protocol::ALL {
        let tls = TcpServer::start(correct_server(Library::Rustls, protocol)).expect("a port");
        let server = StartTlsServer::start(Before::Smtp, tls.address());
        let proxy = FaultyProxy::start(server.address).expect("a port");
        for fault in FAULTS {
            let connector = builder::<B>(false).build().expect("valid settings");
            proxy.set_fault(Fault::None);
            for _ in 0..CONNECTIONS_FOR_ALL_TICKETS {
                let visited = runtime.block_on(visit(&connector, proxy.port()));
                visited.expect("a healthy server");
            }
            proxy.set_fault_on_resumption(fault);
            for _ in 0..20 {
                let visited = runtime.block_on(visit(&connector, proxy.port()));
                visited.expect("no error");
            }
            let stats = connector.stats();
            assert!((1..=2).contains(&stats.retried), "{fault:?}: {stats:?}");
        }
    }
}

fn silence_costs_two_deadlines_at_most<B: Backend>() {
    let runtime = runtime();
    for protocol in Protocol::ALL {
        let tls = TcpServer::start(correct_server(Library::OpenSsl, protocol)).expect("a port");
        let server = StartTlsServer::start(Before::Smtp, tls.address());
        let proxy = FaultyProxy::start(server.address).expect("a port");
        let builder = builder::<B>(false).timeout(Duration::from_millis(800));
        let connector = builder.build().expect("valid settings");
        let visit = || runtime.block_on(visit(&connector, proxy.port()));
        visit().expect("a healthy server");
        proxy.set_fault_on_resumption(Fault::Silence);
        let failures = failures(20, || {
            visit().inspect_err(|error| assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"))
        });
        assert!((1..=2).contains(&failures), "{protocol}: {failures}");
        assert_eq!(connector.stats().retried, 0, "no time was left");
    }
}

/// If the second connection cannot be prepared, the error is the first one's.
fn a_second_connection_that_is_rejected_leaves_the_first_error<B: Backend>() {
    let runtime = runtime();
    let (_tls, server) = listen(Protocol::Tls13);
    let connector = builder::<B>(false).build().expect("valid settings");
    let visit = || runtime.block_on(visit(&connector, server.port()));
    visit().expect("a full handshake");
    server.reject_after(2);
    let error = visit().expect_err("a rejection");
    assert_eq!(error.alert(), Some(Alert::Received(80)), "{error}"); // internal_error
    assert!(error.offered_session() && !error.retried(), "{error}");
    assert_eq!((server.begun(), connector.stats().retried), (2, 0));
}

/// A whole SMTP connection with Postfix, through a proxy.
async fn say_hello<B: Backend>(connector: &Connector<B>, port: u16) -> Result<(), Error>
where
    SmtpStream<B, TcpStream>: Sync,
{
    let me = hello();
    let stream = connect_starttls(connector, "localhost", port, &me).await?;
    let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &me);
    let mut smtp = connecting.await.expect("SMTP");
    smtp.quit().await.expect("a farewell");
    Ok(())
}

/// Postfix, whose resumptions a proxy breaks, and then no more.
fn postfix_causes_no_error<B: Backend>()
where
    SmtpStream<B, TcpStream>: Sync,
{
    let identity = authority().issue(&["localhost"]);
    let Some(postfix) = PostfixServer::start(&identity).expect("a Postfix") else {
        eprintln!("SKIPPED: only root can start Postfix");
        return;
    };
    let runtime = runtime();
    let address = SocketAddr::from(([127, 0, 0, 1], postfix.port()));
    let proxy = FaultyProxy::start(address).expect("a port");
    for protocol in Protocol::ALL {
        for fault in [Fault::None, Fault::CloseAfterServerHello] {
            let connector = builder::<B>(false).protocols([protocol]).build();
            let connector = connector.expect("valid settings");
            proxy.set_fault_on_resumption(fault);
            for _ in 0..20 {
                let visited = runtime.block_on(say_hello(&connector, proxy.port()));
                visited.expect("no error");
            }
            let stats = connector.stats();
            let retried = if fault == Fault::None { 0..=0 } else { 1..=2 };
            assert!(retried.contains(&stats.retried), "{protocol}: {stats:?}");
        }
    }
}

on_backends! { rustls: Rustls, openssl: OpenSsl, rustls_preview: RustlsPreview;
    a_server_without_session_id_context_causes_no_error,
    a_server_without_session_id_context_causes_one_error_without_the_retry,
    a_resumption_that_breaks_causes_no_error,
    silence_costs_two_deadlines_at_most,
    a_second_connection_that_is_rejected_leaves_the_first_error,
    postfix_causes_no_error,
}
