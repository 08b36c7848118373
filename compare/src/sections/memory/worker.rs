//! The process in which one store is filled and weighed, with nothing else at work.

use std::io::{self, Write};

use clap::Args;

use super::client::{Client, Holder, Size};
use super::crowd::Crowd;
use super::{Population, heap};
use lab::server::Protocol;

use crate::cli::number;
use crate::error::{Error, Outcome};
use report::MemoryRow;

/// The name of the hidden command.
pub const NAME: &str = "memory-worker";

/// Servers that are met before anything is weighed: what the libraries allocate once, they have.
const WARM_UP: usize = 16;
/// What may be left when a store is dropped: this, and a part of what it took. More is not the
/// store's, and the row would be wrong.
const LEFT: usize = 64 * 1024;
const LEFT_PART: usize = 50;

/// Arguments of the hidden command.
#[derive(Clone, Copy, Debug, Args)]
pub struct WorkerOptions {
    /// What is weighed
    pub holder: Holder,
    /// The version of TLS
    pub tls: Protocol,
    /// Servers
    #[arg(value_parser = number(1..=1_000_000_usize))]
    pub servers: usize,
    /// Full handshakes with each
    #[arg(value_parser = number(1..=64_usize))]
    pub handshakes: usize,
    /// Tickets from each handshake
    #[arg(value_parser = number(1..=64_usize))]
    pub tickets: usize,
}

/// Fills the store, weighs it, and prints the row as one line of JSON.
pub fn run(options: &WorkerOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let row = weigh(options).map_err(|error| Error::Setup(error.to_string()))?;
    serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Outcome::AsClaimed)
}

fn weigh(options: &WorkerOptions) -> Result<MemoryRow, Box<dyn std::error::Error>> {
    let &WorkerOptions { holder, tls, .. } = options;
    let population = Population {
        protocol: tls,
        servers: options.servers,
        handshakes: options.handshakes,
        tickets: options.tickets,
    };
    let crowd = Crowd::new(population.protocol)?;
    let root = crowd.root();
    let size = Size {
        servers: population.servers,
        sessions_per_server: population.sessions_per_server(),
    };
    let client = |size| holder.client(size, population.protocol, &root);
    // Twice: the first time allocates what is allocated once.
    for _ in 0..2 {
        let client = client(Size {
            servers: WARM_UP,
            ..size
        })?;
        fill(&crowd, client.as_ref(), population.of(WARM_UP))?;
        use_all(&crowd, client.as_ref(), population.of(WARM_UP))?;
    }
    let bytes_empty = empty(holder, None)?;
    let bytes_empty_sized = empty(holder, Some(size))?;

    let before = heap::in_use()?;
    let client = client(size)?;
    // The client's configuration is not the store's.
    let begun = heap::in_use()?.saturating_sub(bytes_empty_sized);
    let resident = heap::resident()?.saturating_sub(bytes_empty_sized);
    let chain_bytes = fill(&crowd, client.as_ref(), population)?;
    let sessions = population.sessions();
    let counted = held(client.as_ref(), sessions)?;
    let filled = heap::in_use()?.saturating_sub(begun);
    let resident = heap::resident()?.saturating_sub(resident);

    use_all(&crowd, client.as_ref(), population)?;
    held(client.as_ref(), sessions)?;
    let churned = heap::in_use()?.saturating_sub(begun);

    drop(client);
    let left = heap::in_use()?.saturating_sub(before);
    if left > LEFT + filled / LEFT_PART {
        return Err(format!("{left} bytes are in use after the store is dropped").into());
    }
    Ok(MemoryRow {
        store: holder.store().to_owned(),
        session: holder.session().to_owned(),
        protocol: population.protocol.to_string(),
        bytes_empty,
        bytes_empty_sized,
        servers: population.servers,
        chain_bytes,
        handshakes_per_server: population.handshakes,
        sessions,
        bytes_per_session: over(filled, sessions),
        resident_per_session: over(resident, sessions),
        counted_per_session: counted.map(|bytes| over(bytes, sessions)),
        bytes_per_session_after_churn: Some(over(churned, sessions)),
        ratio_to_rustls_memory: None,
    })
}

/// Bytes of the store alone.
fn empty(holder: Holder, size: Option<Size>) -> Result<usize, Box<dyn std::error::Error>> {
    drop(holder.empty(size)?);
    let before = heap::in_use()?;
    let store = holder.empty(size)?;
    let after = heap::in_use()?;
    drop(store);
    Ok(after.saturating_sub(before))
}

/// Bytes of a chain: the last server's, which differs from others by a byte or two.
fn fill(
    crowd: &Crowd,
    client: &dyn Client,
    population: Population,
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut chain = 0;
    for number in 0..population.servers {
        chain = crowd.meet(number, client, population.handshakes, population.tickets)?;
    }
    Ok(chain)
}

fn use_all(
    crowd: &Crowd,
    client: &dyn Client,
    population: Population,
) -> Result<(), Box<dyn std::error::Error>> {
    (0..population.servers)
        .try_for_each(|number| crowd.meet_again(number, client, population.sessions_per_server()))
}

/// What the store counts as its bytes, if it counts; it has to hold all sessions.
fn held(client: &dyn Client, sessions: usize) -> Result<Option<usize>, String> {
    let Some(stats) = client.stats() else {
        return Ok(None);
    };
    if usize::try_from(stats.sessions) != Ok(sessions) {
        return Err(format!("there should be {sessions} sessions: {stats:?}"));
    }
    Ok(usize::try_from(stats.bytes).ok())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn over(bytes: usize, sessions: usize) -> f64 {
    (bytes as f64 / sessions as f64 * 10.0).round() / 10.0
}
