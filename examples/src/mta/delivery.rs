//! What a mail client has to write to share its sessions with others: name the store, fetch before
//! it connects, and make the handshake when the server is ready for it.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tls_resume::generic::Connector;
use tls_resume::{Resumption, Shareable, TierStats};

use super::arguments::{Destination, Orders};
use super::lines::Lines;

/// Longer than a server here ever takes to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a mail may wait for a session that is on its way. On a busy machine the default of 5 ms
/// is over before a process that has just begun hears from a Redis; a mail is in no such hurry.
const FOR_A_SESSION: Duration = Duration::from_millis(100);

/// The connector of a process: what it stores, others that are configured the same find.
pub fn connector<B: Shareable>(orders: &Orders) -> Result<Connector<B>, tls_resume::Error> {
    let mut builder = Connector::builder()
        .roots_pem_file(&orders.roots)
        .domain("mail-out")
        .store(&orders.store)
        .store_timeout(FOR_A_SESSION);
    if let Some(keys) = &orders.keys {
        builder = builder.store_keys(keys);
    }
    if let Some(tls) = orders.tls {
        builder = builder.protocols([tls.into()]);
    }
    builder.build()
}

/// Delivers a mail: in the clear up to STARTTLS, then over TLS.
pub fn deliver<B: Shareable>(
    connector: &Connector<B>,
    to: &Destination,
    mail: &str,
) -> io::Result<Delivery> {
    // If another process has left a session of this server, it is here before there is a
    // connection that would have to wait for it.
    connector.prefetch(&to.host, to.address.port());

    let tcp = TcpStream::connect(to.address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut smtp = Lines::new(tcp);
    smtp.expect("220")?;
    smtp.ask("EHLO client.example", "250")?;
    smtp.ask("STARTTLS", "220")?;

    let began = Instant::now();
    let tls = connector
        .connect_stream(&to.host, to.address.port(), smtp.into_inner()?)
        .map_err(io::Error::other)?;
    let handshake = began.elapsed();
    let resumed = tls.resumption() == Resumption::Resumed;

    let mut smtp = Lines::new(tls);
    // Tickets of TLS 1.3 come with the first answer.
    smtp.ask("EHLO client.example", "250")?;
    smtp.ask("MAIL FROM:<sender@client.example>", "250")?;
    smtp.ask(&format!("RCPT TO:<postmaster@{}>", to.host), "250")?;
    smtp.ask("DATA", "354")?;
    smtp.ask(&format!("{mail}\r\n."), "250")?;
    smtp.ask("QUIT", "221")?;
    smtp.into_inner()?.close()?;
    Ok(Delivery {
        resumed,
        handshake_us: u64::try_from(handshake.as_micros()).unwrap_or(u64::MAX),
        tier: connector.tier_stats(),
    })
}

/// What a process tells of a delivery, as a line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Whether the handshake was resumed.
    pub resumed: bool,
    /// How long it took, in microseconds.
    pub handshake_us: u64,
    /// What the process has done beyond its memory so far.
    pub tier: Option<TierStats>,
}
