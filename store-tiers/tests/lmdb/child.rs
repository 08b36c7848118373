//! The children of the tests among processes: how they are started, what they do, what they tell.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use heed::EnvOpenOptions;
use store_tiers::Tier;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};

use crate::common::{NOW, server, single};

/// A child's orders: role, directory, log.
const ORDERS: &str = "LMDB_TEST_CHILD";
/// The servers that all children use.
pub(crate) const SERVERS: usize = 8;
/// What a [`Role::Some`] puts.
pub(crate) const ROUNDS: usize = 500;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Puts and takes in turn, so many times.
    Some,
    /// The same until it is killed.
    Forever,
    /// Is within a change until the log is removed.
    Write,
    /// Lets the file grow to its bound.
    Fill,
}

pub(crate) fn spawn(role: Role, dir: &Path, log: &Path) -> Child {
    start(Command::new(env::current_exe().unwrap()), role, dir, log)
}

pub(crate) fn spawn_with_umask(umask: &str, role: Role, dir: &Path, log: &Path) -> Child {
    // The log is made before: the child could not write to it else.
    File::create(log).unwrap();
    let mut shell = Command::new("sh");
    let script = format!("umask {umask}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(env::current_exe().unwrap());
    start(shell, role, dir, log)
}

fn start(mut command: Command, role: Role, dir: &Path, log: &Path) -> Child {
    let orders = format!("{role:?}\n{}\n{}", dir.display(), log.display());
    command
        .args(["--exact", "child", "--nocapture"])
        .env(ORDERS, orders)
        .stdout(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Follows the orders, if there are any.
pub(crate) fn run() {
    let Ok(orders) = env::var(ORDERS) else { return };
    let mut lines = orders.lines();
    let (role, dir, log) = (lines.next(), lines.next(), lines.next());
    let (dir, log) = (Path::new(dir.unwrap()), Path::new(log.unwrap()));
    match role.unwrap() {
        "Some" => put_and_take(dir, log, ROUNDS),
        "Forever" => put_and_take(dir, log, usize::MAX),
        "Write" => write(dir, log),
        "Fill" => fill(dir),
        other => panic!("no role: {other}"),
    }
}

fn put_and_take(dir: &Path, log: &Path, rounds: usize) {
    let mut tier = LmdbTier::open(dir, LmdbSettings::default()).unwrap();
    let mut log = File::options().create(true).append(true).open(log).unwrap();
    for round in 0..rounds {
        // Each has an id of its own among all processes.
        let id = u64::from(process::id()) << 32 | round as u64;
        let put = single(&server(round % SERVERS), 99, record(id));
        tier.put(&[put], NOW).unwrap();
        let taken = tier.take(&server(round * 5 % SERVERS), 1, NOW).unwrap();
        for record in taken.single_use {
            assert!(is_whole(&record));
            // One write, straight to the kernel: what is told is told when the child is killed.
            log.write_all(&id_of(&record).to_be_bytes()).unwrap();
        }
    }
}

/// Begins a change as the tier does, and tells that it has.
fn write(dir: &Path, ready: &Path) {
    let place = fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    // SAFETY: the file is the tier's own, which this process has not open otherwise.
    let file = unsafe { EnvOpenOptions::new().open(place) }.unwrap();
    let txn = file.write_txn().unwrap();
    fs::write(ready, "ready").unwrap();
    while ready.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    drop(txn);
}

fn fill(dir: &Path) {
    let settings = LmdbSettings::default().with_bytes(4 << 20);
    let mut tier = LmdbTier::open(dir, settings).unwrap();
    for number in 0..5_000 {
        let record = single(&server(number % 997), 99 + number as u64, vec![7; 1200]);
        tier.put(&[record], NOW).unwrap();
    }
}

/// A record that tells its id, and shows whether it is whole; of many lengths.
pub(crate) fn record(id: u64) -> Vec<u8> {
    let mut record = vec![id.to_be_bytes()[7]; 108 + (id % 31) as usize * 97];
    record[..8].copy_from_slice(&id.to_be_bytes());
    record
}

pub(crate) fn id_of(record: &[u8]) -> u64 {
    u64::from_be_bytes(record[..8].try_into().unwrap())
}

pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    record(id_of(bytes)) == bytes
}

/// The ids in a log.
pub(crate) fn log_of(log: &Path) -> Vec<u64> {
    let bytes = fs::read(log).unwrap();
    assert_eq!(bytes.len() % 8, 0, "a log that was cut");
    bytes.chunks_exact(8).map(id_of).collect()
}

/// Waits till a child has made its log.
pub(crate) fn wait_for(log: &Path) {
    while !log.exists() {
        thread::sleep(Duration::from_micros(200));
    }
}
