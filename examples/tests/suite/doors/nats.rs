//! async-nats with our `ClientConfig`, against a nats-server whose resumptions a proxy breaks, and against
//! a server that breaks them itself.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_nats::{ConnectError, ConnectOptions};
use lab::faults::{Fault, FaultyProxy};
use lab::server::Server;
use tls_resume::Protocol;
use tls_resume::rustls::{Connector, Rustls};
use tokio::runtime::Runtime;

use super::common::{
    FAULTS, assert_at_most_two_fail, builder, clock, each, server_without_context,
};
use crate::nats::NatsServer;

const TIMEOUT: Duration = Duration::from_millis(800);

async fn visit(connector: &Connector, port: u16) -> Result<(), ConnectError> {
    visit_with(ConnectOptions::new(), connector, port).await
}

async fn visit_with(
    options: ConnectOptions,
    connector: &Connector,
    port: u16,
) -> Result<(), ConnectError> {
    let options = options.tls_client_config(connector.client_config());
    let options = options.connection_timeout(TIMEOUT);
    let url = format!("tls://localhost:{port}");
    let client = options.require_tls(true).connect(url).await?;
    client.flush().await.expect("an answer");
    client.drain().await.expect("an end");
    Ok(())
}

#[test]
fn a_resumption_that_breaks_or_gets_no_answer_causes_two_errors_of_80() {
    let server = NatsServer::start();
    let proxy = FaultyProxy::start(server.address).expect("a port");
    let runtime = Runtime::new().expect("a runtime");
    for protocol in [Protocol::Tls12, Protocol::Tls13] {
        for fault in FAULTS.into_iter().chain([Fault::Silence]) {
            let clock = clock();
            let builder = Connector::builder()
                .roots_pem_file(server.folder.path().join("roots.pem"))
                .protocols([protocol])
                .clock(clock.clone());
            let connector = builder.build().expect("valid settings");
            proxy.set_fault_on_resumption(fault);
            assert_at_most_two_fail(&clock, || {
                let visited = runtime.block_on(visit(&connector, proxy.port()));
                if fault == Fault::Silence && visited.is_err() {
                    clock.advance(TIMEOUT);
                }
                visited
            });
        }
    }
}

/// Starts a server that speaks as much of NATS as a client needs to connect, with TLS first. It runs until
/// the process ends.
fn listen(server: Server) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = server.clone();
            thread::spawn(move || speak(&server, client));
        }
    });
    port
}

fn speak(server: &Server, mut client: TcpStream) -> io::Result<()> {
    const INFO: &[u8] =
        b"INFO {\"server_id\":\"one\",\"server_name\":\"one\",\"host\":\"localhost\",\
        \"port\":4222,\"version\":\"2.10.0\",\"proto\":1,\"go\":\"\",\"headers\":true,\
        \"max_payload\":1048576,\"client_id\":1,\"tls_required\":true}\r\n";
    let mut tls = server.connection().without_echo();
    let (mut bytes, mut greeted) = ([0; 16_384], false);
    while !tls.is_closed() {
        let length = client.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        tls.receive(&bytes[..length]);
        if tls.facts().is_some() && !greeted {
            greeted = true;
            tls.write(INFO);
        }
        let received = tls.received();
        let pings = received.windows(6).filter(|six| six == b"PING\r\n");
        for _ in pings {
            tls.write(b"PONG\r\n");
        }
        let mut answer = Vec::new();
        tls.send(&mut answer);
        client.write_all(&answer)?;
    }
    Ok(())
}

#[test]
fn a_server_without_session_id_context_causes_two_errors_of_80() {
    let runtime = Runtime::new().expect("a runtime");
    each(|protocol, has_certificate| {
        let port = listen(server_without_context(protocol));
        let clock = clock();
        let builder = builder::<Rustls>(has_certificate).clock(clock.clone());
        let connector = builder.build().expect("valid settings");
        assert_at_most_two_fail(&clock, || {
            let options = ConnectOptions::new().tls_first();
            runtime.block_on(visit_with(options, &connector, port))
        });
    });
}
