//! The worker process, one of those that use a tier at the same time.
//!
//! For each operation it prints `ready`, waits for a line, makes its calls, and prints the time of
//! each in nanoseconds, as one line of JSON.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use store_core::{Clock, Limits, SystemClock};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{Sealed, SharedSettings, SharedStore, Tier};

use super::session::{Servers, Session};
use crate::args::number;
use crate::error::{Error, Outcome};
use crate::sections::workers::{report, wait_for_parent};

/// The name of the hidden command.
pub const NAME: &str = "tiers-worker";

/// Holds the records of all processes.
const LMDB_BYTES: usize = 256 << 20;
/// Records in one `put` where `put` is not measured.
const BATCH: usize = 64;
/// Longer than any call takes, so that late sessions are measured, too.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of the hidden command.
#[derive(Clone, Debug, Args)]
pub struct WorkerOptions {
    /// `lmdb:DIR` or `redis://HOST:PORT`
    pub url: String,
    /// Calls of each operation
    #[arg(value_parser = number(1..=1_000_000_usize))]
    pub rounds: usize,
}

/// Runs each operation when the parent process says so on standard input.
pub fn run(options: &WorkerOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut tier = open(&options.url)?;
    let Servers {
        keys,
        records,
        ring,
    } = Servers::new(options.rounds).map_err(setup)?;
    take(tier.as_mut(), &records[0])?; // connects and finds nothing

    measure(out, &records, |record| {
        let (one, now) = (std::slice::from_ref(record), SystemClock.now());
        tier.put(one, now).map_err(setup)
    })?;
    measure(out, &records, |record| match take(tier.as_mut(), record)? {
        1 => Ok(()),
        _ => Err(setup("a record that was put is missing")),
    })?;
    for batch in records.chunks(BATCH) {
        tier.put(batch, SystemClock.now()).map_err(setup)?;
    }
    let limits = Limits::default().with_servers(4 * keys.len().max(1_000));
    let clock = Arc::new(SystemClock);
    let store = SharedStore::<Session>::new(limits, tier, ring, settings(), clock);
    let store = store.map_err(setup)?;
    measure(out, &keys, |key| {
        let fetched = store.prefetch(key, PREFETCH_TIMEOUT);
        fetched.then_some(()).ok_or_else(|| {
            let stats = store.tier_stats();
            setup(format_args!("a session was not fetched: {stats:?}"))
        })
    })?;
    Ok(Outcome::Passed)
}

/// Waits for the parent process, makes the calls, and prints the time of each.
fn measure<T>(
    out: &mut impl Write,
    items: &[T],
    mut call: impl FnMut(&T) -> Result<(), Error>,
) -> Result<(), Error> {
    wait_for_parent(out)?;
    let mut nanos = Vec::with_capacity(items.len());
    for item in items {
        let begun = Instant::now();
        call(item)?;
        nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    report(out, &nanos)
}

fn open(url: &str) -> Result<Box<dyn Tier>, Error> {
    let Some(dir) = url.strip_prefix("lmdb:") else {
        let tier = RedisTier::new(url, &RedisSettings::default()).map_err(setup)?;
        return Ok(Box::new(tier));
    };
    let bounds = LmdbSettings::default().with_bytes(LMDB_BYTES);
    let tier = LmdbTier::open(Path::new(dir), bounds).map_err(setup)?;
    Ok(Box::new(tier))
}

/// Takes a session of the record's server. Returns how many there were, 0 or 1.
fn take(tier: &mut dyn Tier, record: &Sealed) -> Result<usize, Error> {
    let taken = tier.take(&record.server, 1, SystemClock.now());
    Ok(taken.map_err(setup)?.single_use.len())
}

/// Settings without work in the background: idle sessions are not shared, and nothing is written at
/// the end.
fn settings() -> SharedSettings {
    let mut settings = SharedSettings::default();
    settings.idle_timeout = Duration::from_secs(3_600);
    settings.stall_timeout = PREFETCH_TIMEOUT;
    settings.shutdown_timeout = Duration::ZERO;
    settings
}

fn setup(error: impl Display) -> Error {
    Error::Setup(error.to_string())
}
