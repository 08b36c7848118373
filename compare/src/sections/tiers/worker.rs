//! One of the processes that work on a tier at the same time.
//!
//! For each kind of call it prints `ready`, waits for a line, makes its calls, and prints what each
//! of them took, in nanoseconds, as one line of JSON.

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use store_core::{Clock, Limits, SystemClock};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{Sealed, SharedSettings, SharedStore, Tier};

use super::session::{Servers, Session};
use crate::cli::number;
use crate::error::{Error, Outcome};

/// The name of the hidden command.
pub const NAME: &str = "tiers-worker";
/// What it says when it is ready for the next kind of call.
pub(super) const READY: &str = "ready";

/// Room for the records of all processes.
const LMDB_BYTES: usize = 256 << 20;
/// Records that are put in one go where that is not measured.
const BATCH: usize = 64;
/// Longer than any call takes: what is late is measured, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of the hidden command.
#[derive(Clone, Debug, Args)]
pub struct WorkerOptions {
    /// `lmdb:DIR` or `redis://HOST:PORT`
    pub place: String,
    /// Calls of each kind
    #[arg(value_parser = number(1..=1_000_000_usize))]
    pub rounds: usize,
}

/// Does its part of the work, as often as it is told to on standard input.
pub fn run(options: &WorkerOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut tier = open(&options.place)?;
    let Servers {
        keys,
        records,
        ring,
    } = Servers::new(options.rounds).map_err(setup)?;
    take(tier.as_mut(), &records[0])?; // connects, and finds nothing

    measure(out, &records, |record| {
        let (one, now) = (std::slice::from_ref(record), SystemClock.now());
        tier.put(one, now).map_err(setup)
    })?;
    measure(out, &records, |record| match take(tier.as_mut(), record)? {
        1 => Ok(()),
        _ => Err(setup("a record that was put is not there")),
    })?;
    for batch in records.chunks(BATCH) {
        tier.put(batch, SystemClock.now()).map_err(setup)?;
    }
    let limits = Limits::default().with_servers(4 * keys.len().max(1_000));
    let clock = Arc::new(SystemClock);
    let store = SharedStore::<Session>::new(limits, tier, ring, settings(), clock);
    let store = store.map_err(setup)?;
    measure(out, &keys, |key| {
        let there = store.prefetch(key, PATIENCE);
        there.then_some(()).ok_or_else(|| {
            let stats = store.tier_stats();
            setup(format_args!("a session was not fetched: {stats:?}"))
        })
    })?;
    Ok(Outcome::AsClaimed)
}

/// Begins when it is told to, and prints what each call took.
fn measure<T>(
    out: &mut impl Write,
    items: &[T],
    mut call: impl FnMut(&T) -> Result<(), Error>,
) -> Result<(), Error> {
    writeln!(out, "{READY}")?;
    out.flush()?;
    if io::stdin().lock().read_line(&mut String::new())? == 0 {
        return Err(setup("nobody waits for what comes of it"));
    }
    let mut nanos = Vec::with_capacity(items.len());
    for item in items {
        let begun = Instant::now();
        call(item)?;
        nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    serde_json::to_writer(&mut *out, &nanos).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn open(place: &str) -> Result<Box<dyn Tier>, Error> {
    let Some(dir) = place.strip_prefix("lmdb:") else {
        let tier = RedisTier::new(place, &RedisSettings::default()).map_err(setup)?;
        return Ok(Box::new(tier));
    };
    let bounds = LmdbSettings::default().with_bytes(LMDB_BYTES);
    let tier = LmdbTier::open(Path::new(dir), bounds).map_err(setup)?;
    Ok(Box::new(tier))
}

/// How many records of this one's server there were.
fn take(tier: &mut dyn Tier, record: &Sealed) -> Result<usize, Error> {
    let taken = tier.take(&record.server, 1, SystemClock.now());
    Ok(taken.map_err(setup)?.single_use.len())
}

/// For a worker that does nothing but what is measured: what lies idle is not shared, and nothing is
/// written at the end.
fn settings() -> SharedSettings {
    let mut settings = SharedSettings::default();
    settings.idle_timeout = Duration::from_secs(3_600);
    settings.stall_timeout = PATIENCE;
    settings.shutdown_timeout = Duration::ZERO;
    settings
}

fn setup(error: impl Display) -> Error {
    Error::Setup(error.to_string())
}
