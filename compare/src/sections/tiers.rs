//! The time of a tier's operations, with 1, 2 and 4 processes at work at the same time.
//!
//! - `put` and `take` are single calls of the tier with a sealed record of 1.2 kB: what the worker
//!   thread of a shared store waits for, never a connection.
//! - `prefetch` is what a connection would wait for: from asking a shared store with an empty memory
//!   until the session is fetched, opened and decoded. The session is 1 kB of padding, so that no TLS
//!   library is measured.
//!
//! Each server has one session, and no two calls are for the same server. The processes are children,
//! this program again ([`worker`]). They begin each operation together, and the numbers are over the
//! calls of all of them. With more processes than processors, the slowest hundredth shows the
//! scheduler's delays.
//!
//! LMDB is in a temporary directory. Redis is started for the measurement, on a local port.

mod session;
pub mod worker;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use lab::redis::{self, RedisServer, RedisServerError, RedisSettings};
use report::{Report, TierRow};

use super::options::Options;
use super::workers::Workers;
use crate::durations::Durations;
use crate::progress::Progress;

/// Numbers of processes that work at the same time.
pub const PROCESSES: [usize; 3] = [1, 2, 4];

/// The operations, in this order: `take` removes what `put` stored.
pub const OPS: [&str; 3] = ["put", "take", "prefetch"];

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls of each operation by each process.
    pub rounds: usize,
    /// The program `compare`.
    pub program: PathBuf,
    /// The program `redis-server`.
    pub redis_server: String,
}

impl Plan {
    /// Takes a few seconds.
    pub fn short(program: PathBuf) -> Self {
        Self::new(2_000, program)
    }

    /// Takes a quarter of a minute.
    pub fn full(program: PathBuf) -> Self {
        Self::new(8_000, program)
    }

    fn new(rounds: usize, program: PathBuf) -> Self {
        Self {
            rounds,
            program,
            redis_server: redis::program(),
        }
    }
}

/// Measures both tiers and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let measured = match env::current_exe() {
        Ok(program) => {
            let plan = if options.full {
                Plan::full(program)
            } else {
                Plan::short(program)
            };
            progress.expect(steps());
            measure(&plan, &mut |what| progress.step(what))
        }
        Err(error) => {
            let reason = format!("cannot find this program to start it again: {error}");
            Measured {
                failed: vec![("lmdb", reason.clone()), ("redis", reason)],
                ..Measured::default()
            }
        }
    };
    report.tiers.clone_from(&measured.rows);
    report.skipped.extend(measured.skipped());
    errors(&measured).collect()
}

/// How often [`measure`] reports progress if both tiers are available.
pub fn steps() -> usize {
    2 * PROCESSES.len() * OPS.len()
}

/// Rows, and the tiers that have none.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// A row for each tier, operation and number of processes.
    pub rows: Vec<TierRow>,
    /// Tiers that are not installed, each with the reason.
    pub missing: Vec<(&'static str, String)>,
    /// Tiers that failed, each with the reason.
    pub failed: Vec<(&'static str, String)>,
}

impl Measured {
    /// The tiers without rows, as the report names them, each with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = (String, String)> {
        let skipped = self.missing.iter().chain(&self.failed);
        skipped.map(|(tier, reason)| (format!("tiers ({tier})"), reason.clone()))
    }

    fn add(&mut self, tier: &'static str, rows: Result<Vec<TierRow>, String>) {
        match rows {
            Ok(rows) => self.rows.extend(rows),
            Err(reason) => self.failed.push((tier, reason)),
        }
    }
}

/// Measures both tiers. `progress` is called with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let mut measured = Measured::default();
    measured.add("lmdb", measure_lmdb(plan, progress));
    let settings = RedisSettings {
        program: plan.redis_server.clone(),
        ..RedisSettings::default()
    };
    match RedisServer::start_with(settings) {
        Ok(server) => {
            let rows = measure_tier("redis", plan, progress, |_| server.url());
            measured.add("redis", rows);
        }
        Err(missing @ RedisServerError::Missing(_)) => {
            measured.missing.push(("redis", missing.to_string()));
        }
        Err(error) => measured.failed.push(("redis", error.to_string())),
    }
    measured
}

fn measure_lmdb(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<TierRow>, String> {
    let dir = tempfile::tempdir()
        .map_err(|error| format!("cannot create a temporary directory: {error}"))?;
    measure_tier("lmdb", plan, progress, |processes| {
        let sessions = dir.path().join(processes.to_string());
        format!("lmdb:{}", sessions.display())
    })
}

/// Measures one tier; `url` is called with each number of processes.
fn measure_tier(
    tier: &str,
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
    url: impl Fn(usize) -> String,
) -> Result<Vec<TierRow>, String> {
    let mut rows = Vec::new();
    for processes in PROCESSES {
        let (url, rounds) = (url(processes), plan.rounds.to_string());
        let arguments = vec![worker::NAME.to_owned(), url, rounds];
        let mut workers = Workers::start(&plan.program, vec![arguments; processes])?;
        for op in OPS {
            progress(&format!("{tier}, {processes} processes, {op}"));
            let nanos = workers.run_next::<Vec<u64>>()?.into_iter().flatten();
            let mut times = Durations::default();
            nanos.for_each(|nanos| times.push(Duration::from_nanos(nanos)));
            let n = times.len();
            let (median_us, p99_us) = times.median_and_p99().ok_or("nothing was measured")?;
            rows.push(TierRow {
                tier: tier.to_owned(),
                op: op.to_owned(),
                processes,
                n,
                median_us,
                p99_us,
            });
        }
        workers.finish()?;
    }
    Ok(rows)
}

/// A line for each tier that failed.
pub fn errors(measured: &Measured) -> impl Iterator<Item = String> {
    let failed = measured.failed.iter();
    failed.map(|(tier, reason)| format!("tiers: {tier}: {reason}"))
}
