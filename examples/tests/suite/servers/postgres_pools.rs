//! Pools and mappers over tokio-postgres, behind proxies that terminate TLS.

use deadpool_postgres::{Manager, Pool};
use diesel::sql_types::Integer;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use lab::postgres::{PASSWORD, PgBouncer, PostgresServer, USER};
use lab::stunnel::StunnelServer;
use tls_resume::openssl::OpenSsl;
use tls_resume::postgres::MakeTlsConnector;
use tls_resume::rustls::Rustls;
use tls_resume::tokio::Backend;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::common::{PROTOCOLS, assert_second_resumed, connector, identity, run};
use super::postgres::{with_binding, without_binding};

/// A pool of two connections, both in use.
async fn deadpool_resumes<B: Backend>()
where
    MakeTlsConnector<B>: MakeTlsConnect<
            Socket,
            Stream: Sync + Send,
            TlsConnect: Sync + Send + TlsConnect<Socket, Future: Send>,
        > + Clone
        + Send
        + Sync,
{
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let pgbouncer = PgBouncer::start(&postgres, &identity).expect("a PgBouncer");
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        let tls = MakeTlsConnector::new(&connector).port(pgbouncer.port());
        let manager = Manager::new(without_binding(pgbouncer.port()), tls);
        let pool = Pool::builder(manager).max_size(2).build().expect("a pool");
        let mut clients = Vec::new();
        for _ in 0..2 {
            let client = pool.get().await.expect("a connection");
            let row = client.query_one("SELECT 6 * 7", &[]).await;
            assert_eq!(row.expect("an answer").get::<_, i32>(0), 42);
            clients.push(client);
        }
        assert_second_resumed(&connector);
    }
}

#[tokio::test]
async fn deadpool_resumes_on_rustls() {
    deadpool_resumes::<Rustls>().await;
}

#[tokio::test]
async fn deadpool_resumes_on_openssl() {
    deadpool_resumes::<OpenSsl>().await;
}

async fn diesel_resumes<B: Backend>()
where
    MakeTlsConnector<B>: MakeTlsConnect<Socket, Stream: Send + 'static>,
{
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    let stunnel = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        for _ in 0..2 {
            let tls = MakeTlsConnector::new(&connector).port(stunnel.port());
            let connected = with_binding(stunnel.port()).connect(tls).await;
            let (client, connection) = connected.expect("a connection");
            let diesel = AsyncPgConnection::try_from_client_and_connection(client, connection);
            let mut diesel = diesel.await.expect("a connection");
            let answer = diesel::select(diesel::dsl::sql::<Integer>("6 * 7"));
            let answer = answer.get_result::<i32>(&mut diesel).await;
            assert_eq!(answer.expect("an answer"), 42);
        }
    }
    let resumed = stunnel.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

#[tokio::test]
async fn diesel_resumes_on_rustls() {
    diesel_resumes::<Rustls>().await;
}

#[tokio::test]
async fn diesel_resumes_on_openssl() {
    diesel_resumes::<OpenSsl>().await;
}

#[test]
fn the_programs_resume() {
    let identity = identity();
    let postgres = PostgresServer::start(&identity).expect("a PostgreSQL");
    for program in [env!("CARGO_BIN_EXE_deadpool"), env!("CARGO_BIN_EXE_diesel")] {
        let stunnel = StunnelServer::before_postgres(&identity, &postgres).expect("a stunnel");
        let server = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={USER} password={PASSWORD} \
             sslmode=require",
            stunnel.port()
        );
        assert_eq!(run(program, &server), ["42", "42", "1 resumed"]);
        assert_eq!(stunnel.resumed(2).expect("its log"), [false, true]);
    }
}
