//! Client processes that share sessions by one Redis, and by a cluster.
//!
//! The clients are processes, this program again ([`worker`]), each with an OpenSSL connector on the same
//! store. Each connection chooses one of [`SERVERS`] names at random, all of one server in this
//! process. The server counts what resumes, and which tickets it sees twice. After a warm-up all
//! processes connect as often as they can, one connection at a time.
//!
//! Redis itself counts its bytes, its processor time and its memory (`INFO`). All of it runs on one
//! machine: with more processes than processors, times show the scheduler's delays, and the numbers
//! to look at are ratios: sessions moved a connection, bytes and processor time a session moved.

mod redis_info;
pub mod worker;

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use lab::redis::{self, RedisCluster, RedisServer, RedisServerError, RedisSettings};
use lab::server::{Handshake, Library, Server, ServerSettings};
use lab::tcp::TcpServer;
use report::{FleetRow, Report, Section};
use tempfile::TempDir;

use self::redis_info::{Nodes, Usage};
use self::worker::Phase;
use super::options::Options;
use super::workers::Workers;
use crate::durations::Durations;
use crate::progress::Progress;

/// Names of the server.
pub const SERVERS: usize = 64;
/// Primaries of the cluster, each with a replica.
const PRIMARIES: usize = 3;
/// How long the server may take to end the last handshakes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of processes.
    pub processes: Vec<usize>,
    /// Connections of each process before the measurement, and in it.
    pub connections: [usize; 2],
    /// Whether the cluster is measured, too.
    pub has_cluster: bool,
    /// The program `compare`.
    pub program: PathBuf,
    /// The program `redis-server`.
    pub redis_server: String,
    /// Seed of the choice of servers.
    pub seed: u64,
}

impl Plan {
    /// Four processes on one Redis. Takes a few seconds.
    pub fn short(program: PathBuf, seed: u64) -> Self {
        Self {
            processes: vec![4],
            connections: [60, 60],
            has_cluster: false,
            program,
            redis_server: redis::program(),
            seed,
        }
    }

    /// 1 to 64 processes with 500 connections each, on one Redis and on a cluster. Takes a few
    /// minutes.
    pub fn full(program: PathBuf, seed: u64) -> Self {
        Self {
            processes: vec![1, 8, 32, 64],
            connections: [250, 500],
            has_cluster: true,
            ..Self::short(program, seed)
        }
    }

    /// How often [`measure`] reports progress if Redis is installed.
    pub fn steps(&self) -> usize {
        self.processes.len() * (1 + usize::from(self.has_cluster))
    }
}

/// Measures, and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            let reason = format!("cannot find this program to start it again: {error}");
            skip(report, &reason);
            return vec![format!("fleet: {reason}")];
        }
    };
    let plan = if options.full {
        Plan::full(program, options.seed)
    } else {
        Plan::short(program, options.seed)
    };
    progress.expect(plan.steps());
    let measured = measure(&plan, &mut |what| progress.step(what));
    if measured.rows.is_empty()
        && let Some(reason) = measured
            .skipped
            .as_ref()
            .or_else(|| measured.failed.first())
    {
        skip(report, reason);
    }
    if !plan.has_cluster {
        let why = "only with --full".to_owned();
        report
            .skipped
            .insert("fleet (redis-cluster)".to_owned(), why);
    }
    report.fleet.clone_from(&measured.rows);
    measured.failed
}

fn skip(report: &mut Report, reason: &str) {
    let section = Section::Fleet.as_str().to_owned();
    report.skipped.insert(section, reason.to_owned());
}

/// Rows, and why there are none.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// A row for each tier and number of processes.
    pub rows: Vec<FleetRow>,
    /// Why nothing was measured: Redis is not installed.
    pub skipped: Option<String>,
    /// What failed, a line each.
    pub failed: Vec<String>,
}

/// Measures on one Redis and on a cluster. `progress` is called with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let mut measured = Measured::default();
    for &processes in &plan.processes {
        progress(&format!("redis, {processes} processes"));
        let settings = RedisSettings {
            program: plan.redis_server.clone(),
            ..RedisSettings::default()
        };
        let row = match RedisServer::start_with(settings) {
            Ok(server) => measure_row("redis", &server.url(), &[&server], processes, plan),
            Err(missing @ RedisServerError::Missing(_)) => {
                measured.skipped = Some(missing.to_string());
                return measured;
            }
            Err(error) => Err(error.to_string()),
        };
        measured.add(row);
    }
    for &processes in plan.processes.iter().filter(|_| plan.has_cluster) {
        progress(&format!("redis-cluster, {processes} processes"));
        let row = match RedisCluster::start(PRIMARIES) {
            Ok(cluster) => {
                let nodes: Vec<_> = cluster.nodes().iter().map(|node| &**node).collect();
                measure_row("redis-cluster", &cluster.url(), &nodes, processes, plan)
            }
            Err(error) => Err(error.to_string()),
        };
        measured.add(row);
    }
    measured
}

impl Measured {
    fn add(&mut self, row: Result<FleetRow, String>) {
        match row {
            Ok(row) => self.rows.push(row),
            Err(reason) => self.failed.push(format!("fleet: {reason}")),
        }
    }
}

/// Measures so many processes on a tier that is empty.
fn measure_row(
    tier: &str,
    url: &str,
    nodes: Nodes<'_>,
    processes: usize,
    plan: &Plan,
) -> Result<FleetRow, String> {
    let servers = Servers::start()?;
    let empty = Usage::of(nodes)?;
    let mut workers = Workers::start(&plan.program, servers.arguments(url, processes, plan))?;
    let [warm_up, connections] = plan.connections.map(|each| each * processes);
    workers.run_next::<Phase>()?;
    let before = servers.handshakes(warm_up)?.len();
    let idle = Usage::of(nodes)?;
    workers.begin_next()?;
    let began = Instant::now();
    let phases: Vec<Phase> = workers.end_next()?;
    let took = began.elapsed();
    let busy = Usage::of(nodes)?;
    let handshakes = servers.handshakes(before + connections)?;
    workers.finish()?;

    let resumed = handshakes[before..].iter().filter(|it| it.resumed).count();
    let by_clients: usize = phases.iter().map(|phase| phase.resumed).sum();
    if resumed != by_clients {
        return Err(format!(
            "{tier}: the server resumed {resumed} sessions, and the clients {by_clients}"
        ));
    }
    let mut prefetches = Durations::default();
    for nanos in phases.iter().flat_map(|phase| &phase.prefetch_ns) {
        prefetches.push(Duration::from_nanos(*nanos));
    }
    let count = prefetches.len();
    let (p50, p99) = prefetches.median_and_p99().unzip();
    let sum = |of: fn(&Phase) -> u64| phases.iter().map(of).sum();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(FleetRow {
        tier: tier.to_owned(),
        processes,
        servers: SERVERS,
        connections,
        seconds: took.as_secs_f64(),
        resumed_rate: resumed as f64 / connections as f64,
        used_twice: used_twice(&handshakes),
        written: sum(|phase| phase.written),
        fetched: sum(|phase| phase.fetched),
        failures: sum(|phase| phase.failures),
        redis_bytes: busy.bytes - idle.bytes,
        redis_cpu_us: busy.cpu_us - idle.cpu_us,
        redis_memory: busy.memory.saturating_sub(empty.memory),
        prefetches: count,
        prefetch_p50_us: p50,
        prefetch_p99_us: p99,
    })
}

/// Offers of a ticket that was offered before.
fn used_twice(handshakes: &[Handshake]) -> usize {
    let mut seen = HashSet::new();
    let tickets = handshakes.iter().filter_map(|it| it.ticket.as_ref());
    tickets.filter(|ticket| !seen.insert(*ticket)).count()
}

/// The server, and the files that the clients need.
struct Servers {
    server: TcpServer,
    folder: TempDir,
}

impl Servers {
    fn start() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start the server: {error}");
        let authority = Authority::new(KeyKind::EcdsaP256);
        let names: Vec<_> = (0..SERVERS).map(worker::name).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let settings = ServerSettings::new(authority.issue(&names));
        let server = TcpServer::start(Server::new(Library::OpenSsl, &settings)).map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        fs::write(folder.path().join("roots.pem"), authority.root_pem()).map_err(failed)?;
        Ok(Self { server, folder })
    }

    /// The command lines of the client processes.
    fn arguments(&self, url: &str, processes: usize, plan: &Plan) -> Vec<Vec<String>> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let [warm_up, connections] = plan.connections;
        let process = |number: u64| {
            vec![
                worker::NAME.to_owned(),
                url.to_owned(),
                file("roots.pem"),
                file("keys"),
                self.server.port().to_string(),
                SERVERS.to_string(),
                warm_up.to_string(),
                connections.to_string(),
                (plan.seed ^ (number << 32)).to_string(),
            ]
        };
        (1..).take(processes).map(process).collect()
    }

    /// All handshakes, when there are so many.
    fn handshakes(&self, count: usize) -> Result<Vec<Handshake>, String> {
        let handshakes = self.server.wait_for_handshakes(count, TIMEOUT);
        if handshakes.len() == count {
            return Ok(handshakes);
        }
        Err(format!(
            "the server counts {} handshakes, the clients {count}",
            handshakes.len()
        ))
    }
}
