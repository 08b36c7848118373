//! Mail goes out by many short-lived processes, each of which delivers to one of the same few
//! servers and ends: so it was with Postfix, whose `smtp` processes leave their TLS sessions with
//! `tlsmgr`. Here each leaves them in a store that all of them name by the same URL.
//!
//! What a mail client has to write for that is [`delivery`]. All else is there to show it: mail
//! servers that say what they saw ([`Servers`]), processes to deliver ([`Crew`]), and a table.

mod arguments;
mod crew;
pub mod delivery;
mod ledger;
mod lines;
mod result;
mod server;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

pub use arguments::{Backend, Command, Destination, Options, Orders, Program, Tls};
pub use crew::{Crew, Process, deliver};
pub use delivery::Delivery;
pub use ledger::Ledger;
pub use result::Round;
pub use server::Servers;

use lab::redis::RedisServer;
use tempfile::TempDir;

/// How many turns the stores take, so that what else the machine has to do hits all of them alike.
const TURNS: usize = 10;

/// Delivers the same mail once for each store, and says how many of the connections were resumed.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut stages = Vec::new();
    let mut skipped = None;
    // Ends with this function; sessions are in it as long as it runs.
    let redis;
    if let Some(store) = &options.store {
        stages.push(Stage::new(options, store, None)?);
    } else {
        stages.push(Stage::new(options, "memory:", None)?);
        let lmdb = format!("lmdb:{}", folder.path().join("sessions").display());
        stages.push(Stage::new(options, &lmdb, None)?);
        redis = RedisServer::start();
        match &redis {
            Ok(redis) => {
                let keys = folder.path().join("keys");
                stages.push(Stage::new(options, &redis.url(), Some(keys))?);
            }
            Err(why) => skipped = Some(format!("redis: skipped: {why}")),
        }
    }

    let crew = Crew::of(std::env::current_exe()?, options.processes.get());
    let processes = options.deliveries.get().div_ceil(options.messages.get());
    let turn = processes.div_ceil(TURNS);
    for begin in (0..processes).step_by(turn) {
        for stage in &mut stages {
            let end = stage.orders.len().min(begin + turn);
            let mut told = crew.deliver(&stage.orders[begin..end])?;
            stage.told.append(&mut told);
        }
    }
    let rounds: Vec<Round> = stages.iter().map(Stage::round).collect::<Result<_, _>>()?;
    print(options, &rounds, skipped.as_deref(), out)
}

/// A store, and servers that nobody has connected to before.
struct Stage {
    store: String,
    servers: Servers,
    orders: Vec<Orders>,
    told: Vec<Vec<Delivery>>,
    _folder: TempDir,
}

impl Stage {
    fn new(options: &Options, store: &str, keys: Option<PathBuf>) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let servers = Servers::start(options.servers.get())?;
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, servers.root_pem())?;
        let orders = Orders {
            to: servers.destinations(),
            roots,
            store: store.to_owned(),
            keys,
            backend: options.backend,
            tls: options.tls,
            messages: options.messages.get(),
            first: 0,
        };
        Ok(Self {
            store: store.to_owned(),
            servers,
            orders: orders.split(options.deliveries.get()),
            told: Vec::new(),
            _folder: folder,
        })
    }

    fn round(&self) -> Result<Round, Box<dyn Error>> {
        let round = Round::new(&self.store, &self.told, &self.servers.ledger());
        if round.resumed == round.resumed_by_clients {
            Ok(round)
        } else {
            Err("clients and servers do not agree on what was resumed".into())
        }
    }
}

fn print(
    options: &Options,
    rounds: &[Round],
    skipped: Option<&str>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    if options.json {
        for round in rounds {
            writeln!(out, "{}", serde_json::to_string(round)?)?;
        }
        if let Some(why) = skipped {
            writeln!(out, "{}", serde_json::json!({ "skipped": why }))?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "{}; deliveries of a process: {}, processes at a time: {}, mail servers: {}",
        options.backend, options.messages, options.processes, options.servers
    )?;
    writeln!(out, "{}", result::table(rounds))?;
    if let Some(why) = skipped {
        writeln!(out, "{why}")?;
    }
    Ok(())
}
