//! A mail client that shares its sessions: it names the store, prefetches before it connects, and
//! does the handshake after STARTTLS.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tls_resume::generic::Connector;
use tls_resume::{Resumption, ReuseTickets, Shareable, TierStats};

use super::arguments::{Destination, Job};
use super::smtp::Smtp;

/// Timeout of reads from a server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection waits for a session from the store. On a busy machine the default of 5 ms
/// can end before a new process has connected to a Redis, and a mail can wait longer.
const STORE_TIMEOUT: Duration = Duration::from_millis(100);

/// Creates a connector. Connectors of other processes with the same settings use its sessions.
pub fn connector<B: Shareable>(job: &Job) -> Result<Connector<B>, tls_resume::Error> {
    let mut builder = Connector::builder()
        .roots_pem_file(&job.roots)
        .domain("mail-out")
        .store(&job.store)
        .store_timeout(STORE_TIMEOUT);
    if !job.tickets_once {
        // Mail servers are known by their addresses, and Postfix sends no second ticket.
        builder = builder.reuse_tickets(ReuseTickets::UntilRenewed);
    }
    if let Some(keys) = &job.keys {
        builder = builder.store_keys(keys);
    }
    if let Some(tls) = job.tls {
        builder = builder.protocols([tls.into()]);
    }
    builder.build()
}

/// Delivers a mail, in plain text until STARTTLS and then over TLS.
pub fn deliver<B: Shareable>(
    connector: &Connector<B>,
    to: &Destination,
    mail: &str,
) -> io::Result<Delivery> {
    // Fetches a session that another process has stored, while this one connects.
    connector.prefetch(&to.host, to.address.port());

    let tcp = TcpStream::connect(to.address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut smtp = Smtp::new(tcp);
    smtp.expect("220")?;
    smtp.command("EHLO client.example", "250")?;
    smtp.command("STARTTLS", "220")?;

    let start = Instant::now();
    let tls = connector
        .connect_stream(&to.host, to.address.port(), smtp.into_inner()?)
        .map_err(io::Error::other)?;
    let handshake = start.elapsed();
    let resumed = tls.resumption() == Resumption::Resumed;

    let mut smtp = Smtp::new(tls);
    // TLS 1.3 tickets arrive with the first reply.
    smtp.command("EHLO client.example", "250")?;
    smtp.command("MAIL FROM:<sender@client.example>", "250")?;
    smtp.command(&format!("RCPT TO:<postmaster@{}>", to.host), "250")?;
    smtp.command("DATA", "354")?;
    smtp.command(&format!("{mail}\r\n."), "250")?;
    smtp.command("QUIT", "221")?;
    smtp.into_inner()?.close()?;
    Ok(Delivery {
        resumed,
        handshake_us: u64::try_from(handshake.as_micros()).unwrap_or(u64::MAX),
        tier: connector.tier_stats(),
    })
}

/// A delivery, as a worker process reports it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Whether the handshake was resumed.
    pub resumed: bool,
    /// Duration of the handshake in microseconds.
    pub handshake_us: u64,
    /// The tier's counters in this process so far.
    pub tier: Option<TierStats>,
}
