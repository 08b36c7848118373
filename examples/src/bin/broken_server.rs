//! Connects four times, and says what it learned of the server: `broken_server HOST:PORT [ROOTS.pem]`.

use std::time::Duration;

use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().ok_or("give HOST:PORT")?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let port = port.parse()?;
    let mut builder = Connector::builder();
    if let Some(roots) = arguments.next() {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;
    connector.watch(host, port); // counters of this server
    for _ in 0..4 {
        let mut stream = connector.connect(host, port)?;
        stream.wait_for_tickets(Duration::from_secs(1))?; // or read an answer
        println!("{:?}, retried: {}", stream.resumption(), stream.retried());
        stream.close()?;
    }
    let stats = connector.server_stats(host, port).unwrap_or_default();
    println!("{} failed, {} avoided", stats.failed, stats.avoided);
    println!("next: {:?}", connector.would_resume(host, port));
    Ok(())
}
