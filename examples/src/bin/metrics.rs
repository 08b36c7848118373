//! The metrics of a connector for Prometheus:
//! `metrics https://example.com/ roots.pem 127.0.0.1:9464 lmdb:/var/lib/sessions` requests the page
//! once a second, over a new connection each time, and answers at <http://127.0.0.1:9464/metrics>.
//! docs/monitoring has alerts and a dashboard for them.

use std::thread;
use std::time::Duration;

use examples::arguments::{self, Exporter};
use metrics_exporter_prometheus::PrometheusBuilder;
use tls_resume::{openssl::Connector, ureq};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Exporter {
        url,
        roots,
        listen,
        store,
    } = arguments::exporter()?;
    PrometheusBuilder::new()
        .with_http_listener(listen)
        .install()?; // in a thread of its own
    tls_resume::metrics::describe();
    let builder = Connector::builder().domain("example").store(store);
    let connector = builder.roots_pem_file(roots).build()?;
    let server: hyper::Uri = url.parse()?;
    let host = server.host().ok_or("give a URL with a host")?;
    connector.watch(host, server.port_u16().unwrap_or(443)); // metrics of this server
    loop {
        if let Err(error) = ureq::agent(&connector).get(&url).call() {
            eprintln!("{url}: {error}");
        }
        connector.record_metrics();
        thread::sleep(Duration::from_secs(1));
    }
}
