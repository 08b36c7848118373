//! A client process, one of those that share sessions.
//!
//! It connects to servers in random order, one connection at a time, first to warm up, and then for the
//! measurement. It begins each of the two when the parent process says so.

use std::fmt::Display;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tls_resume::openssl::Connector;
use tls_resume::{Protocol, Resumption, TierStats};

use crate::args::number;
use crate::error::{Error, Outcome};
use crate::sections::workers::{report, wait_for_parent};

/// The name of the hidden command.
pub const NAME: &str = "fleet-worker";
/// How long a connection waits for a session. With more processes than processors, the default of
/// 5 ms can end before the process has run again.
const STORE_TIMEOUT: Duration = Duration::from_millis(100);

/// The name of a server by its number.
pub(super) fn name(server: usize) -> String {
    format!("server-{server}.lab.example")
}

/// Arguments of the hidden command.
#[derive(Clone, Debug, Args)]
pub struct WorkerOptions {
    /// `redis://HOST:PORT`, or another address of a store
    pub url: String,
    /// The root certificate of the server
    pub roots: PathBuf,
    /// The keys of the store
    pub keys: PathBuf,
    /// The server's port on 127.0.0.1
    pub port: u16,
    /// Names of the server
    #[arg(value_parser = number(1..=1_000_000_usize))]
    pub servers: usize,
    /// Connections to warm up
    pub warm_up: usize,
    /// Connections that are measured
    pub connections: usize,
    /// Seed of the choice of servers
    pub seed: u64,
}

/// What a process reports of its connections.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Phase {
    /// Resumed connections.
    pub(super) resumed: usize,
    /// Sessions written to the tier, and fetched from it.
    pub(super) written: u64,
    pub(super) fetched: u64,
    /// Calls to the tier that failed.
    pub(super) failures: u64,
    /// The time of each prefetch that asked the tier.
    pub(super) prefetch_ns: Vec<u64>,
}

/// Connects when the parent process says so on standard input.
pub fn run(options: &WorkerOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let connector = Connector::builder()
        .roots_pem_file(&options.roots)
        .protocols([Protocol::Tls13])
        .domain("compare fleet")
        .store(&options.url)
        .store_keys(&options.keys)
        .store_timeout(STORE_TIMEOUT)
        .build()
        .map_err(setup)?;
    let mut rng = StdRng::seed_from_u64(options.seed);
    for connections in [options.warm_up, options.connections] {
        wait_for_parent(out)?;
        let begun = stats(&connector);
        let mut phase = Phase::default();
        for _ in 0..connections {
            let host = name(rng.random_range(0..options.servers));
            connect(&connector, &host, options.port, &mut phase).map_err(setup)?;
        }
        let ended = stats(&connector);
        phase.written = ended.written - begun.written;
        phase.fetched = ended.fetched - begun.fetched;
        phase.failures = ended.failures - begun.failures;
        report(out, &phase)?;
    }
    Ok(Outcome::Passed)
}

/// Makes a connection, exchanges a byte, and closes it.
fn connect(
    connector: &Connector,
    host: &str,
    port: u16,
    phase: &mut Phase,
) -> Result<(), Box<dyn std::error::Error>> {
    let asked = |stats: TierStats| stats.fetched + stats.missed;
    let before = asked(stats(connector));
    let begun = Instant::now();
    connector.prefetch(host, port);
    let took = begun.elapsed();
    if asked(stats(connector)) > before {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        phase.prefetch_ns.push(nanos);
    }
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.set_nodelay(true)?;
    let mut tls = connector.connect_stream(host, port, tcp)?;
    phase.resumed += usize::from(tls.resumption() == Resumption::Resumed);
    // The tickets arrive before the answer.
    tls.write_all(b"?")?;
    tls.read_exact(&mut [0])?;
    tls.close()?;
    Ok(())
}

fn stats(connector: &Connector) -> TierStats {
    connector.tier_stats().unwrap_or_default()
}

fn setup(error: impl Display) -> Error {
    Error::Setup(error.to_string())
}
