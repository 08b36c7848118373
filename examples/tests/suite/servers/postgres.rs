//! PostgreSQL, directly and behind proxies.

use lab::postgres::{PASSWORD, PgBouncer, PostgresServer, USER};
use lab::stunnel::StunnelServer;
use tls_resume::openssl::OpenSsl;
use tls_resume::postgres::MakeTlsConnector;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;
use tls_resume::{Protocol, generic};
use tokio_postgres::config::{ChannelBinding, Config, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Error, Socket};

use super::common::{PROTOCOLS, assert_second_resumed, connector, identity, run};

/// A configuration that requires TLS and channel binding.
pub(crate) fn with_binding(port: u16) -> Config {
    let mut server = Config::new();
    server
        .host("localhost")
        .hostaddr([127, 0, 0, 1].into())
        .port(port);
    server.user(USER).password(PASSWORD).dbname("postgres");
    server.ssl_mode(SslMode::Require);
    server.channel_binding(ChannelBinding::Require);
    server
}

/// A configuration without channel binding, which `PgBouncer` does not support.
pub(crate) fn without_binding(port: u16) -> Config {
    let mut server = with_binding(port);
    server.channel_binding(ChannelBinding::Disable);
    server
}

/// Connects, makes a query, and closes the connection.
pub(crate) async fn query<B: Backend>(
    connector: &generic::Connector<B>,
    server: &Config,
) -> Result<i32, Error> {
    let tls = MakeTlsConnector::new(connector).port(server.get_ports()[0]);
    let (client, connection) = server.connect(tls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT 6 * 7", &[]).await?;
    drop(client);
    connection.await.expect("no panic")?;
    Ok(row.get(0))
}

async fn queries_twice<B: Backend>(connector: &generic::Connector<B>, server: &Config) {
    for _ in 0..2 {
        assert_eq!(query(connector, server).await.expect("an answer"), 42);
    }
}

async fn resumes_behind_proxies<B: Backend>() {
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let pgbouncer = PgBouncer::start(&postgres, &identity).expect("a PgBouncer");
    for protocol in PROTOCOLS {
        let stunnel = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
        // Channel binding also works in a resumed handshake, which sends no certificate.
        let bound = connector::<B>(protocol);
        queries_twice(&bound, &with_binding(stunnel.port())).await;
        assert_second_resumed(&bound);
        assert_eq!(stunnel.resumed(2).expect("its log"), [false, true]);

        let unbound = connector::<B>(protocol);
        queries_twice(&unbound, &without_binding(pgbouncer.port())).await;
        assert_second_resumed(&unbound);
    }
}

#[tokio::test]
async fn rustls_resumes_behind_proxies() {
    resumes_behind_proxies::<Rustls>().await;
}

#[tokio::test]
async fn openssl_resumes_behind_proxies() {
    resumes_behind_proxies::<OpenSsl>().await;
}

#[tokio::test]
async fn postgres_itself_issues_no_sessions() {
    async fn issues_none<B: Backend>(postgres: &PostgresServer, protocol: Protocol) {
        let connector = connector::<B>(protocol);
        queries_twice(&connector, &with_binding(postgres.port())).await;
        let stats = connector.stats();
        assert_eq!((stats.offered, stats.resumed), (0, 0));
    }
    let postgres = PostgresServer::start(&identity()).expect("a PostgreSQL");
    for protocol in PROTOCOLS {
        issues_none::<Rustls>(&postgres, protocol).await;
        issues_none::<OpenSsl>(&postgres, protocol).await;
    }
}

#[test]
fn the_blocking_client_resumes() {
    fn resumes<B: Backend>(port: u16) {
        let connector = connector::<B>(Protocol::Tls13);
        for _ in 0..2 {
            let tls = MakeTlsConnector::new(&connector).port(port);
            let server = postgres::Config::from(with_binding(port));
            let mut client = server.connect(tls).expect("a connection");
            let row = client.query_one("SELECT 6 * 7", &[]).expect("an answer");
            assert_eq!(row.get::<_, i32>(0), 42);
        }
        assert_second_resumed(&connector);
    }
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let proxy = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
    resumes::<Rustls>(proxy.port());
    resumes::<OpenSsl>(proxy.port());
    let resumed = proxy.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

#[test]
fn the_program_resumes() {
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let proxy = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
    let server = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user={USER} password={PASSWORD} sslmode=require",
        proxy.port()
    );
    let written = run(env!("CARGO_BIN_EXE_postgres"), &server);
    assert_eq!(written, ["42", "42", "1 resumed"]);
    assert_eq!(proxy.resumed(2).expect("its log"), [false, true]);
}

#[tokio::test]
async fn an_untrusted_server_yields_our_error() {
    let postgres = PostgresServer::start(&identity()).expect("a PostgreSQL");
    let strangers = generic::Connector::<Rustls>::builder();
    let strangers = strangers.build().expect("valid settings");
    let refused = query(&strangers, &with_binding(postgres.port()))
        .await
        .unwrap_err();
    let source = std::error::Error::source(&refused).expect("a source");
    let ours = source.downcast_ref::<tls_resume::Error>().expect("ours");
    assert_eq!(ours.kind(), tls_resume::ErrorKind::Certificate);
}

/// The bounds that connection pools require.
#[test]
fn the_connector_meets_the_bounds_of_pools() {
    fn assert_bounds<T>(_: &T)
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
    }
    assert_bounds(&MakeTlsConnector::new(&connector::<Rustls>(
        Protocol::Tls13,
    )));
    assert_bounds(&MakeTlsConnector::new(&connector::<OpenSsl>(
        Protocol::Tls13,
    )));
}
