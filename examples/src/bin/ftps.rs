//! suppaftp with our sessions: `ftps localhost:21 roots.pem` lists the files of `anonymous`, writes
//! four to the directory `in`, and lists that.

use examples::ftps::{Ftps, FtpsClient};
use tls_resume::openssl::Connector; // or tls_resume::rustls::Connector

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let tls = Ftps::new(&connector, port.parse()?);
    let mut ftp = FtpsClient::connect(&server)?.into_secure(tls, host)?;
    ftp.login("anonymous", "me@localhost")?;
    println!("{} files", ftp.list(None)?.len());
    for number in 1..=4 {
        let file = format!("in/{number}-{}", std::process::id());
        ftp.put_file(file, &mut "hello\r\n".as_bytes())?;
    }
    println!("{} files", ftp.list(Some("in"))?.len());
    ftp.quit()?;
    Ok(())
}
