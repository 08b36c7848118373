//! ureq with our sessions: `ureq https://example.com/ roots.pem`.

use tls_resume::{rustls::Connector, ureq};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    for _ in 0..2 {
        let agent = ureq::agent(&connector); // a new pool: connects again
        println!("{:?}", agent.get(&url).call()?.body_mut().read_to_string()?);
    }
    println!("sessions resumed: {}", connector.stats().resumed);
    Ok(())
}
