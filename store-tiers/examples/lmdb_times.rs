//! Latency of the LMDB tier in microseconds, with 1, 2 and 4 child processes, which run this
//! program, too:
//!
//! ```text
//! cargo run --release -p store-tiers --features lmdb --example lmdb_times -- [DIRECTORY]
//! ```

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use store_core::{Clock, KeyRef, SecurityDomain, SystemClock, Usage};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{KeyRing, Sealed, ServerId, Tier};

/// The environment variable with a child's arguments: `INDEX PAUSE_US`.
const CHILD: &str = "LMDB_TIMES_CHILD";
const SERVERS: usize = 500;
const ROUNDS: usize = 20_000;
/// Bytes of a sealed TLS 1.3 session.
const BYTES: usize = 1200;
const HOUR: Duration = Duration::from_secs(3600);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let dir = env::args_os().nth(1).map(PathBuf::from);
    if let Ok(child) = env::var(CHILD) {
        return run_child(&dir.ok_or("no directory")?, &child);
    }
    let own = tempfile::tempdir()?;
    let dir = dir.unwrap_or_else(|| own.path().join("sessions"));
    println!("microseconds          median      p99    p99.9      max   calls/s, all");
    for (processes, pause) in [(1, 0), (2, 0), (4, 0), (1, 500), (4, 500)] {
        let started = Instant::now();
        let children = (0..processes).map(|index| spawn(&dir, index, pause));
        let children = children.collect::<io::Result<Vec<Child>>>()?;
        let (mut puts, mut takes) = (Vec::new(), Vec::new());
        for child in children {
            let out = child.wait_with_output()?;
            for line in String::from_utf8(out.stdout)?.lines() {
                let (kind, nanos) = line.split_once(' ').ok_or("a line of a child")?;
                let to = if kind == "put" { &mut puts } else { &mut takes };
                to.push(nanos.parse::<u64>()?);
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{processes} processes, {pause} us between calls");
        row("take 1", &mut takes, seconds);
        row("put 1", &mut puts, seconds);
    }
    open_and_sweep(&own.path().join("large"))
}

fn spawn(dir: &Path, index: usize, pause: u64) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .arg(dir)
        .env(CHILD, format!("{index} {pause}"))
        .stdout(Stdio::piped())
        .spawn()
}

/// The code of a child: puts and takes in turn, for servers of its own, so that each take finds a
/// record.
fn run_child(dir: &Path, child: &str) -> Result<()> {
    let (index, pause) = child.split_once(' ').ok_or("index and pause")?;
    let pause = Duration::from_micros(pause.parse()?);
    let mut tier = LmdbTier::open(dir, LmdbSettings::default())?;
    let servers = servers(index, SERVERS)?;
    let rounds = if pause.is_zero() { ROUNDS } else { ROUNDS / 4 };
    for server in &servers {
        tier.put(
            &[record(server, HOUR), record(server, HOUR)],
            SystemClock.now(),
        )?;
    }
    let mut lines = String::new();
    for round in 0..rounds {
        let server = &servers[round * 7 % SERVERS];
        let record = record(server, HOUR);
        let put = time(|| Ok(tier.put(&[record], SystemClock.now())?))?;
        thread::sleep(pause);
        let take = time(|| {
            let taken = tier.take(server, 1, SystemClock.now())?;
            assert_eq!(taken.single_use.len(), 1);
            Ok(())
        })?;
        writeln!(lines, "put {put}\ntake {take}")?;
        thread::sleep(pause);
    }
    print!("{lines}");
    Ok(())
}

fn open_and_sweep(dir: &Path) -> Result<()> {
    let settings = LmdbSettings::default().with_bytes(512 << 20);
    let mut tier = LmdbTier::open(dir, settings)?;
    for server in servers("large", 2_000)? {
        let records: Vec<Sealed> = (0..50)
            .map(|second| record(&server, HOUR + Duration::from_secs(second)))
            .collect();
        tier.put(&records, SystemClock.now())?;
    }
    drop(tier);
    let mut opened = Vec::new();
    for _ in 0..20 {
        opened.push(time(|| {
            LmdbTier::open(dir, settings).map(drop)?;
            Ok(())
        })?);
    }
    println!("100,000 records");
    row("open", &mut opened, 1.0);
    let mut tier = LmdbTier::open(dir, settings)?;
    let later = SystemClock.now().after(2 * HOUR);
    let (mut swept, mut more) = (Vec::new(), true);
    while more {
        swept.push(time(|| {
            more = tier.sweep(later)?;
            Ok(())
        })?);
    }
    println!("swept in {} steps", swept.len());
    row("one step", &mut swept, 1.0);
    Ok(())
}

fn servers(name: &str, count: usize) -> Result<Vec<ServerId>> {
    let ring = KeyRing::generate()?;
    let domain = SecurityDomain::builder(name).finish();
    let server = |index| ring.server_id(KeyRef::new(&domain, &format!("{index}.example")));
    Ok((0..count).map(server).collect())
}

fn record(server: &ServerId, lives: Duration) -> Sealed {
    Sealed {
        server: *server,
        usage: Usage::SingleUse,
        expires: SystemClock.now().after(lives),
        bytes: vec![7; BYTES],
    }
}

fn time(call: impl FnOnce() -> Result<()>) -> Result<u64> {
    let started = Instant::now();
    call()?;
    Ok(u64::try_from(started.elapsed().as_nanos())?)
}

#[allow(clippy::cast_precision_loss)] // printed with one digit
fn row(name: &str, nanos: &mut [u64], seconds: f64) {
    nanos.sort_unstable();
    let at = |per_mille: usize| nanos[(nanos.len() - 1) * per_mille / 1000] as f64 / 1000.0;
    let rate = nanos.len() as f64 / seconds;
    println!(
        "  {name:<16} {:>9.1}{:>9.1}{:>9.1}{:>9.1}   {rate:.0}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}
