//! tokio-postgres with our connector. The driver connects itself, so that a failed resumption is an
//! error, once.

use std::net::SocketAddr;
use std::time::Duration;

use lab::faults::{Fault, FaultyProxy};
use lab::postgres::PostgresServer;
use lab::server::{Library, Protocol};
use lab::stunnel::StunnelServer;
use lab::tcp::TcpServer;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::postgres::MakeTlsConnector;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::tokio::{Backend, Stream};
use tls_resume::{Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::common::{
    FAULTS, authority, builder, correct_server, each, failures, server_without_context,
};
use super::starttls_server::{Before, StartTlsServer};
use crate::servers::postgres::with_binding;

/// Requests TLS as the driver does, and exchanges data with a server that echoes it.
pub(super) async fn visit<B: Backend>(
    connector: &Connector<B>,
    server: SocketAddr,
) -> Result<(), Error> {
    let mut tcp = TcpStream::connect(server).await.expect("TCP");
    tcp.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
        .await
        .expect("a request");
    assert_eq!(tcp.read_u8().await.expect("a reply"), b'S');
    let mut tls = MakeTlsConnector::new(connector).port(server.port());
    let Ok(tls) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, "localhost");
    let mut stream: Stream<B, TcpStream> = tls.connect(tcp).await?;
    stream.write_all(b"hello").await.expect("a write");
    stream.flush().await.expect("a flush");
    stream.read_exact(&mut [0; 5]).await.expect("an echo");
    stream.shutdown().await.expect("close_notify");
    Ok(())
}

fn a_server_without_session_id_context_causes_one_error<B: Backend>() {
    let runtime = Runtime::new().expect("a runtime");
    each(|protocol, has_certificate| {
        let tls = TcpServer::start(server_without_context(protocol)).expect("a port");
        let server = StartTlsServer::start(Before::Postgres, tls.address());
        let connector = builder::<B>(has_certificate)
            .build()
            .expect("valid settings");
        let failed = failures(20, || runtime.block_on(visit(&connector, server.address)));
        let stats = connector.stats();
        assert_eq!(failed, 1, "{protocol}: {stats:?}");
        assert!(stats.avoided >= 17, "{protocol}: {stats:?}");
    });
}

fn silence_costs_two_deadlines_at_most<B: Backend>() {
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let tls = TcpServer::start(correct_server(Library::Rustls, protocol)).expect("a port");
        let server = StartTlsServer::start(Before::Postgres, tls.address());
        let proxy = FaultyProxy::start(server.address).expect("a port");
        let builder = builder::<B>(false).timeout(Duration::from_millis(800));
        let connector = builder.build().expect("valid settings");
        proxy.set_fault_on_resumption(Fault::Silence);
        let failed = failures(20, || {
            let visited = runtime.block_on(visit(&connector, proxy.address()));
            visited.inspect_err(|error| assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"))
        });
        assert!((1..=2).contains(&failed), "{protocol}: {failed}");
    }
}

/// A real PostgreSQL behind stunnel, whose resumptions a proxy breaks.
fn a_resumption_that_breaks_causes_two_errors_at_most<B: Backend>()
where
    MakeTlsConnector<B>: MakeTlsConnect<Socket, Stream: Send>,
{
    let identity = authority().issue(&["localhost"]);
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let stunnel = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
    let address = SocketAddr::from(([127, 0, 0, 1], stunnel.port()));
    let proxy = FaultyProxy::start(address).expect("a port");
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        for fault in FAULTS {
            let connector = builder::<B>(false).protocols([protocol]).build();
            let connector = connector.expect("valid settings");
            let tls = MakeTlsConnector::new(&connector).port(proxy.port());
            proxy.set_fault_on_resumption(fault);
            let connect = async || {
                let (client, connection) = with_binding(proxy.port()).connect(tls.clone()).await?;
                let driver = async {
                    client.simple_query("SELECT 1").await.expect("an answer");
                    drop(client);
                };
                tokio::join!(driver, connection).1
            };
            let failures = failures(20, || runtime.block_on(connect()));
            assert!(
                (1..=2).contains(&failures),
                "{protocol} {fault:?}: {failures}"
            );
        }
    }
}

#[test]
fn rustls() {
    a_server_without_session_id_context_causes_one_error::<Rustls>();
    silence_costs_two_deadlines_at_most::<Rustls>();
    a_resumption_that_breaks_causes_two_errors_at_most::<Rustls>();
}

#[test]
fn openssl() {
    a_server_without_session_id_context_causes_one_error::<OpenSsl>();
    silence_costs_two_deadlines_at_most::<OpenSsl>();
    a_resumption_that_breaks_causes_two_errors_at_most::<OpenSsl>();
}

#[test]
fn rustls_preview() {
    a_server_without_session_id_context_causes_one_error::<RustlsPreview>();
    silence_costs_two_deadlines_at_most::<RustlsPreview>();
    a_resumption_that_breaks_causes_two_errors_at_most::<RustlsPreview>();
}
