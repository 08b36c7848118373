//! reqwest with our `ClientConfig`.

use std::sync::Arc;
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::faults::{Fault, FaultyTicketer};
use lab::server::{Library, Protocol, Server};
use tls_resume::ManualClock;
use tls_resume::rustls::{Connector, Rustls};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::common::{
    CONNECTIONS_FOR_ALL_TICKETS, FAULTS, assert_at_most_two_fail, authority, builder, clock,
    correct_server, each, https_behind_proxy, https_server_without_context, settings,
};

fn connector(has_certificate: bool) -> (Connector, Arc<ManualClock>) {
    let clock = clock();
    let builder = builder::<Rustls>(has_certificate).clock(clock.clone());
    (builder.build().expect("valid settings"), clock)
}

fn client_builder(connector: &Connector) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(connector.client_config());
    // Connects again for each request.
    builder.pool_max_idle_per_host(0)
}

fn client(connector: &Connector) -> reqwest::Client {
    client_builder(connector).build().expect("a client")
}

async fn get(client: &reqwest::Client, port: u16) -> reqwest::Result<()> {
    let answer = client
        .get(format!("https://localhost:{port}/"))
        .send()
        .await?;
    assert_eq!(answer.text().await?, "hello\n");
    Ok(())
}

#[test]
fn a_server_without_session_id_context_causes_two_errors_of_80() {
    let runtime = Runtime::new().expect("a runtime");
    each(|protocol, has_certificate| {
        let server = https_server_without_context(protocol);
        let (connector, clock) = connector(has_certificate);
        let client = client(&connector);
        assert_at_most_two_fail(&clock, || runtime.block_on(get(&client, server.port())));
    });
}

#[test]
fn a_resumption_that_breaks_causes_two_errors_of_80() {
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let (_server, proxy) = https_behind_proxy(correct_server(Library::Rustls, protocol));
        for fault in FAULTS {
            let (connector, clock) = connector(false);
            let client = client(&connector);
            proxy.set_fault(Fault::None);
            for _ in 0..CONNECTIONS_FOR_ALL_TICKETS {
                let response = runtime.block_on(get(&client, proxy.port()));
                response.expect("a healthy server");
            }
            proxy.set_fault_on_resumption(fault);
            assert_at_most_two_fail(&clock, || runtime.block_on(get(&client, proxy.port())));
        }
    }
}

/// reqwest's timeout ends a connection that gets no answer.
#[test]
fn silence_costs_two_deadlines_at_most() {
    const TIMEOUT: Duration = Duration::from_millis(800);
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let (_server, proxy) = https_behind_proxy(correct_server(Library::Rustls, protocol));
        let (connector, clock) = connector(false);
        let builder = client_builder(&connector).connect_timeout(TIMEOUT);
        let client = builder.build().expect("a client");
        proxy.set_fault_on_resumption(Fault::Silence);
        assert_at_most_two_fail(&clock, || {
            let response = runtime.block_on(get(&client, proxy.port()));
            response.inspect_err(|error| {
                assert!(error.is_timeout() || error.is_connect(), "{error:?}");
                clock.advance(TIMEOUT);
            })
        });
    }
}

/// A server whose tickets have 4 KiB, behind a middlebox that reads 2,048 bytes of a `ClientHello`.
#[test]
fn a_middlebox_that_reads_2048_bytes_causes_two_errors_of_80() {
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let mut settings = settings(protocol);
        settings.rustls.ticketer = Some(Arc::new(FaultyTicketer::new().with_size(4096)));
        let server = Server::new(Library::Rustls, &settings);
        let (_server, proxy) = https_behind_proxy(server);
        proxy.set_fault(Fault::CloseLongHello(2_048));
        let (connector, clock) = connector(false);
        let client = client(&connector);
        assert_at_most_two_fail(&clock, || runtime.block_on(get(&client, proxy.port())));
    }
}

/// Bursts of 32 connections to a healthy server, of which a quarter may be cancelled within 20 ms.
/// A client with a `ClientConfig` does not report that, so that a cancelled connection may count as
/// failed, and then one offers nothing: of 2,048 connections, two did at most.
#[test]
fn bursts_with_cancels_to_a_healthy_server_offer_sessions() {
    let runtime = Runtime::new().expect("a runtime");
    for protocol in Protocol::ALL {
        let server = correct_server(Library::Rustls, protocol);
        let server = HttpsServer::start_on(authority(), server).expect("a server");
        let connector = builder::<Rustls>(false).build().expect("valid settings");
        let client = client(&connector);
        for burst in 0..64 {
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for number in 0..32_u64 {
                    let (client, port) = (client.clone(), server.port());
                    let limit = match number % 4 {
                        0 => Duration::from_micros((burst * 32 + number) * 7_919 % 20_000),
                        _ => Duration::from_secs(60),
                    };
                    tasks.spawn(async move {
                        if let Ok(response) = timeout(limit, get(&client, port)).await {
                            response.expect("an answer");
                        }
                    });
                }
                while let Some(ended) = tasks.join_next().await {
                    ended.expect("no panic");
                }
            });
        }
        let stats = connector.stats();
        assert!(stats.avoided * 50 <= stats.offered, "{protocol}: {stats:?}");
    }
}
