//! Connects once for each line on standard input, with a client certificate in two files that another
//! program replaces: `rotation HOST:PORT CHAIN.pem KEY.pem [ROOTS.pem]`.

use std::io;
use std::time::Duration;

use tls_resume::CredentialFiles;
use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().ok_or("give HOST:PORT")?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let (chain, key) = arguments
        .next()
        .zip(arguments.next())
        .ok_or("give two PEM files")?;
    let mut builder = Connector::builder().client_credentials(CredentialFiles::open(chain, key)?);
    if let Some(roots) = arguments.next() {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;
    for line in io::stdin().lines() {
        line?;
        let mut stream = connector.connect(host, port.parse()?)?;
        stream.wait_for_tickets(Duration::from_secs(1))?; // or read an answer
        println!("{:?}", stream.resumption());
        stream.close()?;
        if let Some(error) = connector.client_certificate_error() {
            eprintln!("the old certificate is still in use: {error}");
        }
    }
    Ok(())
}
