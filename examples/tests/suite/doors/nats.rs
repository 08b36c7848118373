//! async-nats with our `ClientConfig`, against a nats-server whose resumptions a proxy breaks.

use std::time::Duration;

use async_nats::{ConnectError, ConnectOptions};
use lab::faults::{Fault, FaultyProxy};
use tls_resume::Protocol;
use tls_resume::rustls::Connector;
use tokio::runtime::Runtime;

use super::common::{assert_at_most_two_fail, clock};
use crate::nats::NatsServer;

const TIMEOUT: Duration = Duration::from_millis(800);

async fn visit(connector: &Connector, port: u16) -> Result<(), ConnectError> {
    let options = ConnectOptions::new().tls_client_config(connector.client_config());
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
        for fault in [Fault::CloseAfterClientHello, Fault::Corrupt, Fault::Silence] {
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
