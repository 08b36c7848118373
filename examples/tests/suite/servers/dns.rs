//! DNS over TLS and over HTTPS by hickory-resolver, with unbound. A proxy sees whether it resumes.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use lab::unbound::{ADDRESS, NAME, UnboundServer};
use tls_resume::rustls::Rustls;

use super::common::{PROTOCOLS, connector, identity, run};
use crate::recording_proxy::RecordingProxy;

fn proxy(port: u16) -> RecordingProxy {
    RecordingProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

async fn resumes(port: u16, mut connection: ConnectionConfig) {
    let proxy = proxy(port);
    connection.port = proxy.port;
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    for protocol in PROTOCOLS {
        let tls = connector::<Rustls>(protocol).client_config();
        for _ in 0..2 {
            let provider = TokioRuntimeProvider::default();
            let resolver = Resolver::builder_with_config(config.clone(), provider);
            let resolver = resolver.with_tls_config(tls.clone()).build();
            let found = resolver.expect("valid settings").ipv4_lookup(NAME).await;
            let found = found.expect("an answer");
            let addresses: Vec<_> = found.answers().iter().map(|found| &found.data).collect();
            assert_eq!(addresses, [&RData::A(ADDRESS.into())]);
        }
    }
    assert_eq!(proxy.resumed(), [false, true, false, true]);
}

#[tokio::test]
async fn resolvers_over_tls_resume() {
    let unbound = UnboundServer::start(&identity()).expect("an unbound");
    let connection = ConnectionConfig::tls("localhost".into());
    resumes(unbound.tls_port(), connection).await;
}

#[tokio::test]
async fn resolvers_over_https_resume() {
    let unbound = UnboundServer::start(&identity()).expect("an unbound");
    let connection = ConnectionConfig::https("localhost".into(), None);
    resumes(unbound.https_port(), connection).await;
}

#[test]
fn the_program_resumes() {
    let unbound = UnboundServer::start(&identity()).expect("an unbound");
    for (scheme, port) in [("tls", unbound.tls_port()), ("https", unbound.https_port())] {
        let proxy = proxy(port);
        let url = format!("{scheme}://localhost:{}/{NAME}", proxy.port);
        let written = run(env!("CARGO_BIN_EXE_hickory"), &url);
        let address = ADDRESS.to_string();
        assert_eq!(written, [&address, &address, "sessions offered: 1"]);
        assert_eq!(proxy.resumed(), [false, true]);
    }
}
