//! hickory-resolver with our sessions, over TLS or HTTPS: `hickory tls://localhost:853/example.com
//! roots.pem`, or `https://`. Uses the first IPv4 address of the host.

use std::net::SocketAddr;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper::Uri;
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let uri: Uri = url.parse()?;
    let host = uri.host().ok_or("no host")?;
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 853 });
    let mut addresses = tokio::net::lookup_host((host, port)).await?;
    let address = addresses.find(SocketAddr::is_ipv4).ok_or("no address")?;

    let mut connection = if is_https {
        ConnectionConfig::https(host.into(), None)
    } else {
        ConnectionConfig::tls(host.into())
    };
    connection.port = port;
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let provider = TokioRuntimeProvider::default();
        let resolver = Resolver::builder_with_config(config.clone(), provider)
            .with_tls_config(connector.client_config())
            .build()?; // connects again
        let name = uri.path().trim_start_matches('/');
        for address in resolver.ipv4_lookup(name).await?.answers() {
            println!("{}", address.data);
        }
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
