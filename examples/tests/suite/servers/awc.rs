//! awc with our `ClientConfig`, with nginx, which reports resumptions.

use std::sync::Arc;

use awc::Client;
use lab::nginx::NginxServer;
use tls_resume::rustls::Rustls;
use tokio::task::LocalSet;

use super::common::{PROTOCOLS, connector, identity, run};

#[tokio::test]
async fn a_client_config_resumes() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let url = format!("https://localhost:{}/", nginx.port());
    let visits = async {
        for protocol in PROTOCOLS {
            let config = Arc::new(connector::<Rustls>(protocol).client_config());
            for _ in 0..2 {
                let tls = awc::Connector::new().rustls_0_23(Arc::clone(&config));
                let client = Client::builder().connector(tls).finish(); // a new pool
                let mut response = client.get(&url).send().await.expect("a response");
                assert_eq!(response.body().await.expect("a body"), "hello\n");
            }
        }
    };
    LocalSet::new().run_until(visits).await;
    let resumed = nginx.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

#[test]
fn the_program_resumes() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let url = format!("https://localhost:{}/", nginx.port());
    let written = run(env!("CARGO_BIN_EXE_awc"), &url);
    assert_eq!(
        written,
        ["b\"hello\\n\"", "b\"hello\\n\"", "sessions offered: 1"]
    );
    assert_eq!(nginx.resumed(2).expect("its log"), [false, true]);
}
