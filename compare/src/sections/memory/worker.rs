//! The child process in which one store is filled and weighed.

use std::error::Error as StdError;
use std::io::{self, Write};

use clap::Args;
use lab::server::Protocol;
use report::MemoryRow;

use super::client::Client;
use super::heap;
use super::population::Population;
use super::servers::Servers;
use super::subject::{Capacity, Subject};
use crate::args::number;
use crate::error::{Error, Outcome};

/// The name of the hidden command.
pub const NAME: &str = "memory-worker";

/// Servers that are connected to before anything is weighed, so that the libraries make their
/// one-time allocations.
const WARM_UP: usize = 16;
/// Bytes that may remain when a store is dropped: this many, and one [`REMAINDER_PART`]th of what it
/// took. If more remain, something else allocated and the row would be wrong.
const REMAINDER: usize = 64 * 1024;
const REMAINDER_PART: usize = 50;

/// Arguments of the hidden command.
#[derive(Clone, Copy, Debug, Args)]
pub struct WorkerOptions {
    /// The store
    pub subject: Subject,
    /// The version of TLS
    pub tls: Protocol,
    /// Servers
    #[arg(value_parser = number(1..=1_000_000_usize))]
    pub servers: usize,
    /// Full handshakes with each server
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
    Ok(Outcome::Passed)
}

fn weigh(options: &WorkerOptions) -> Result<MemoryRow, Box<dyn StdError>> {
    let subject = options.subject;
    let population = Population {
        protocol: options.tls,
        servers: options.servers,
        handshakes: options.handshakes,
        tickets: options.tickets,
    };
    let servers = Servers::new(population.protocol)?;
    let root = servers.root();
    let capacity = Capacity {
        servers: population.servers,
        sessions_per_server: population.sessions_per_server(),
    };
    let client = |capacity| subject.client(capacity, population.protocol, &root);
    // Twice: the second time shows whether the first made all one-time allocations.
    for _ in 0..2 {
        let client = client(Capacity {
            servers: WARM_UP,
            ..capacity
        })?;
        fill(&servers, client.as_ref(), population.with_servers(WARM_UP))?;
        use_all(&servers, client.as_ref(), population.with_servers(WARM_UP))?;
    }
    let bytes_empty = bytes_of_empty_store(subject, None)?;
    let bytes_empty_sized = bytes_of_empty_store(subject, Some(capacity))?;

    let before = heap::in_use()?;
    let client = client(capacity)?;
    // The client's configuration is not part of the store.
    let in_use_before = heap::in_use()?.saturating_sub(bytes_empty_sized);
    let resident_before = heap::resident()?.saturating_sub(bytes_empty_sized);
    let chain_bytes = fill(&servers, client.as_ref(), population)?;
    let sessions = population.sessions();
    let counted = counted_bytes(client.as_ref(), sessions)?;
    let filled = heap::in_use()?.saturating_sub(in_use_before);
    let resident = heap::resident()?.saturating_sub(resident_before);

    use_all(&servers, client.as_ref(), population)?;
    counted_bytes(client.as_ref(), sessions)?;
    let churned = heap::in_use()?.saturating_sub(in_use_before);

    drop(client);
    let left = heap::in_use()?.saturating_sub(before);
    if left > REMAINDER + filled / REMAINDER_PART {
        return Err(format!("{left} bytes are in use after the store is dropped").into());
    }
    Ok(MemoryRow {
        store: subject.store().to_owned(),
        session: subject.session().to_owned(),
        protocol: population.protocol.to_string(),
        bytes_empty,
        bytes_empty_sized,
        servers: population.servers,
        chain_bytes,
        handshakes_per_server: population.handshakes,
        sessions,
        bytes_per_session: per_session(filled, sessions),
        resident_per_session: per_session(resident, sessions),
        counted_per_session: counted.map(|bytes| per_session(bytes, sessions)),
        bytes_per_session_after_churn: Some(per_session(churned, sessions)),
        ratio_to_rustls_memory: None,
    })
}

fn bytes_of_empty_store(
    subject: Subject,
    capacity: Option<Capacity>,
) -> Result<usize, Box<dyn StdError>> {
    drop(subject.empty_store(capacity)?); // makes the one-time allocations
    let before = heap::in_use()?;
    let store = subject.empty_store(capacity)?;
    let after = heap::in_use()?;
    drop(store);
    Ok(after.saturating_sub(before))
}

/// Fills the store by full handshakes. Returns the bytes of the last server's chain, which differs
/// from others by a byte or two.
fn fill(
    servers: &Servers,
    client: &dyn Client,
    population: Population,
) -> Result<usize, Box<dyn StdError>> {
    let mut chain_bytes = 0;
    for number in 0..population.servers {
        chain_bytes =
            servers.full_handshakes(number, client, population.handshakes, population.tickets)?;
    }
    Ok(chain_bytes)
}

/// Uses every session in a resumed handshake, which stores another in its place.
fn use_all(
    servers: &Servers,
    client: &dyn Client,
    population: Population,
) -> Result<(), Box<dyn StdError>> {
    let connections = population.sessions_per_server();
    (0..population.servers)
        .try_for_each(|number| servers.resumed_handshakes(number, client, connections))
}

/// The store's own count of its bytes, if it counts. Fails unless the store holds all sessions.
fn counted_bytes(client: &dyn Client, sessions: usize) -> Result<Option<usize>, String> {
    let Some(stats) = client.stats() else {
        return Ok(None);
    };
    if usize::try_from(stats.sessions) != Ok(sessions) {
        return Err(format!("there should be {sessions} sessions: {stats:?}"));
    }
    Ok(usize::try_from(stats.bytes).ok())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_session(bytes: usize, sessions: usize) -> f64 {
    (bytes as f64 / sessions as f64 * 10.0).round() / 10.0
}
