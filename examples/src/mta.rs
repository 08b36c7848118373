//! Processes that share TLS sessions: short-lived ones deliver mail to a few servers, as the `smtp`
//! processes of Postfix do, which keep their sessions in `tlsmgr`. Here they share a store by its
//! URL.
//!
//! [`delivery`] is what a mail client needs for that. The rest demonstrates it: mail servers that
//! log resumptions ([`Servers`]), a pool of delivering processes ([`Workers`]), and a table.

mod arguments;
pub mod delivery;
mod server;
mod server_log;
mod smtp;
mod summary;
mod workers;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

pub use arguments::{Backend, Command, Destination, Job, Options, Program, Tls};
pub use delivery::Delivery;
pub use server::Servers;
pub use server_log::ServerLog;
pub use summary::Summary;
pub use workers::{Worker, Workers, deliver};

use lab::redis::RedisServer;
use tempfile::TempDir;

/// The stores are used alternately, in this many turns, so that other load on the machine affects
/// all of them alike.
const TURNS: usize = 10;

/// Delivers the same mails with each store, and prints how many connections were resumed.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut scenarios = Vec::new();
    let mut skipped = None;
    // Stops the server when this function returns.
    let redis;
    if let Some(store) = &options.store {
        scenarios.push(Scenario::new(options, store, None)?);
    } else {
        scenarios.push(Scenario::new(options, "memory:", None)?);
        let lmdb = format!("lmdb:{}", folder.path().join("sessions").display());
        scenarios.push(Scenario::new(options, &lmdb, None)?);
        redis = RedisServer::start();
        match &redis {
            Ok(redis) => {
                let keys = folder.path().join("keys");
                scenarios.push(Scenario::new(options, &redis.url(), Some(keys))?);
            }
            Err(error) => skipped = Some(format!("redis: skipped: {error}")),
        }
    }

    let workers = Workers::new(std::env::current_exe()?, options.processes.get());
    let jobs = options.deliveries.get().div_ceil(options.messages.get());
    let turn = jobs.div_ceil(TURNS);
    for begin in (0..jobs).step_by(turn) {
        for scenario in &mut scenarios {
            let end = scenario.jobs.len().min(begin + turn);
            let mut deliveries = workers.run(&scenario.jobs[begin..end])?;
            scenario.deliveries.append(&mut deliveries);
        }
    }
    let summaries: Vec<_> = scenarios
        .iter()
        .map(Scenario::summary)
        .collect::<Result<_, _>>()?;
    print(options, &summaries, skipped.as_deref(), out)
}

/// Deliveries with one store to newly started servers.
struct Scenario {
    store: String,
    servers: Servers,
    jobs: Vec<Job>,
    /// The deliveries of each process.
    deliveries: Vec<Vec<Delivery>>,
    _folder: TempDir,
}

impl Scenario {
    fn new(options: &Options, store: &str, keys: Option<PathBuf>) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let servers = Servers::start(options.servers.get())?;
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, servers.root_pem())?;
        let job = Job {
            to: servers.destinations(),
            roots,
            store: store.to_owned(),
            keys,
            backend: options.backend,
            tls: options.tls,
            tickets_once: options.tickets_once,
            messages: options.messages.get(),
            first: 0,
        };
        Ok(Self {
            store: store.to_owned(),
            servers,
            jobs: job.split(options.deliveries.get()),
            deliveries: Vec::new(),
            _folder: folder,
        })
    }

    fn summary(&self) -> Result<Summary, Box<dyn Error>> {
        let summary = Summary::new(&self.store, &self.deliveries, &self.servers.log());
        if summary.resumed == summary.resumed_by_clients {
            Ok(summary)
        } else {
            Err("clients and servers count different numbers of resumed connections".into())
        }
    }
}

fn print(
    options: &Options,
    summaries: &[Summary],
    skipped: Option<&str>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    if options.json {
        for summary in summaries {
            writeln!(out, "{}", serde_json::to_string(summary)?)?;
        }
        if let Some(reason) = skipped {
            writeln!(out, "{}", serde_json::json!({ "skipped": reason }))?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "{}; mail servers: {}, concurrent processes: {}, deliveries per process: {}",
        options.backend, options.servers, options.processes, options.messages
    )?;
    writeln!(out, "{}", summary::table(summaries))?;
    if let Some(reason) = skipped {
        writeln!(out, "{reason}")?;
    }
    Ok(())
}
