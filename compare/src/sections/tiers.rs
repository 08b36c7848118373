//! What a tier takes to put a session, to take one, and to have one fetched ahead, with 1, 2 and 4
//! processes at work at the same time.
//!
//! - `put` and `take` are single calls of the tier, with a sealed record of 1.2 kB each: what the
//!   worker of a shared store waits for, never a connection.
//! - `prefetch` is what a connection would wait for: from asking a shared store with a cold memory
//!   until the session is there, opened and decoded. The session is a kilobyte without meaning, so
//!   that it is the tier that is measured and no TLS library.
//!
//! Each server has one session, and no two calls are for the same one. The processes are real ones,
//! this program again ([`worker`]); they begin each kind of call together, and the numbers are over
//! the calls of all of them. They do nothing else meanwhile: with more of them than processors, the
//! slowest hundredth is what the scheduler makes of it.
//!
//! LMDB is in a directory for temporary files; Redis is one that is started for it, on a port of this
//! machine.

mod crew;
mod session;
pub mod worker;

use std::env;
use std::path::PathBuf;

use lab::redis::{self, RedisServer, RedisServerError, RedisSettings};

use self::crew::Crew;
use crate::progress::Progress;
use crate::run::Run;
use report::{Report, TierRow};

/// How many processes work at the same time.
pub const PROCESSES: [usize; 3] = [1, 2, 4];

/// What is measured, in this order: what was put is there to be taken.
pub const OPS: [&str; 3] = ["put", "take", "prefetch"];

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls of each kind that each process makes.
    pub rounds: usize,
    /// The program `compare`.
    pub program: PathBuf,
    /// The program that is started as Redis.
    pub redis_server: String,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(program: PathBuf) -> Self {
        Self::new(2_000, program)
    }

    /// Ends within a minute.
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

/// Measures both tiers, and puts the rows into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let measured = match env::current_exe() {
        Ok(program) => {
            let plan = if run.quick {
                Plan::quick(program)
            } else {
                Plan::full(program)
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

/// How often [`measure`] reports progress, if no tier is missing.
pub fn steps() -> usize {
    2 * PROCESSES.len() * OPS.len()
}

/// What was measured, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// A row for each tier, kind of call and number of processes.
    pub rows: Vec<TierRow>,
    /// A tier that is not installed here, with the reason.
    pub missing: Vec<(&'static str, String)>,
    /// A tier that failed, with the reason.
    pub failed: Vec<(&'static str, String)>,
}

impl Measured {
    /// The tiers that have no rows, as the report names them, with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = (String, String)> {
        let without = self.missing.iter().chain(&self.failed);
        without.map(|(tier, reason)| (format!("tiers ({tier})"), reason.clone()))
    }
}

/// Measures both tiers. `progress` is told what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let mut measured = Measured::default();
    measured.add("lmdb", lmdb(plan, progress));
    let settings = RedisSettings {
        program: plan.redis_server.clone(),
        ..RedisSettings::default()
    };
    match RedisServer::start_with(settings) {
        Ok(server) => measured.add("redis", redis(&server, plan, progress)),
        Err(missing @ RedisServerError::Missing(_)) => {
            measured.missing.push(("redis", missing.to_string()));
        }
        Err(error) => measured.failed.push(("redis", error.to_string())),
    }
    measured
}

impl Measured {
    fn add(&mut self, tier: &'static str, rows: Result<Vec<TierRow>, String>) {
        match rows {
            Ok(rows) => self.rows.extend(rows),
            Err(reason) => self.failed.push((tier, reason)),
        }
    }
}

fn lmdb(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<TierRow>, String> {
    let dir = tempfile::tempdir().map_err(|error| format!("no directory for it: {error}"))?;
    tier("lmdb", plan, progress, |processes| {
        let place = dir.path().join(processes.to_string());
        format!("lmdb:{}", place.display())
    })
}

fn redis(
    server: &RedisServer,
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<TierRow>, String> {
    tier("redis", plan, progress, |_| server.url())
}

fn tier(
    tier: &str,
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
    place: impl Fn(usize) -> String,
) -> Result<Vec<TierRow>, String> {
    let mut rows = Vec::new();
    for processes in PROCESSES {
        let mut crew = Crew::start(&plan.program, processes, &place(processes), plan.rounds)?;
        for op in OPS {
            progress(&format!("{tier}, {processes} processes, {op}"));
            let sample = crew.work()?;
            let n = sample.len();
            let (median_us, p99_us) = sample.median_and_p99().ok_or("nothing was measured")?;
            rows.push(TierRow {
                tier: tier.to_owned(),
                op: op.to_owned(),
                processes,
                n,
                median_us,
                p99_us,
            });
        }
        crew.end()?;
    }
    Ok(rows)
}

/// What went wrong, a line for each tier that failed.
pub fn errors(measured: &Measured) -> impl Iterator<Item = String> {
    let failed = measured.failed.iter();
    failed.map(|(tier, reason)| format!("tiers: {tier}: {reason}"))
}
