//! Child processes: how a test starts them, what they do, and their logs.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use heed::EnvOpenOptions;
use store_tiers::Tier;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};

use super::fixtures::{NOW, server, single};

/// The environment variable with a child's role, directory and log.
const ARGUMENTS: &str = "LMDB_TEST_CHILD";
/// The number of servers, which all children use.
pub(crate) const SERVERS: usize = 8;
/// The records that [`Role::Rounds`] puts.
pub(crate) const ROUNDS: usize = 500;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Puts and takes in turn, [`ROUNDS`] times.
    Rounds,
    /// Puts and takes in turn, until it is killed.
    Forever,
    /// Holds a write transaction until the log is removed.
    Write,
    /// Fills the file.
    Fill,
}

pub(crate) fn spawn(role: Role, dir: &Path, log: &Path) -> Child {
    start(Command::new(env::current_exe().unwrap()), role, dir, log)
}

pub(crate) fn spawn_with_umask(umask: &str, role: Role, dir: &Path, log: &Path) -> Child {
    // Created here: with some umasks, the child could not write to it.
    File::create(log).unwrap();
    let mut shell = Command::new("sh");
    let script = format!("umask {umask}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(env::current_exe().unwrap());
    start(shell, role, dir, log)
}

fn start(mut command: Command, role: Role, dir: &Path, log: &Path) -> Child {
    let arguments = format!("{role:?}\n{}\n{}", dir.display(), log.display());
    command
        .args(["--exact", "lmdb::child::child", "--nocapture"])
        .env(ARGUMENTS, arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Not a test: the code of a child. Does nothing without [`ARGUMENTS`].
#[test]
fn child() {
    let Ok(arguments) = env::var(ARGUMENTS) else {
        return;
    };
    let mut lines = arguments.lines();
    let (role, dir, log) = (lines.next(), lines.next(), lines.next());
    let (dir, log) = (Path::new(dir.unwrap()), Path::new(log.unwrap()));
    match role.unwrap() {
        "Rounds" => put_and_take(dir, log, ROUNDS),
        "Forever" => put_and_take(dir, log, usize::MAX),
        "Write" => write(dir, log),
        "Fill" => fill(dir),
        other => panic!("unknown role: {other}"),
    }
}

fn put_and_take(dir: &Path, log: &Path, rounds: usize) {
    let mut tier = LmdbTier::open(dir, LmdbSettings::default()).unwrap();
    let mut log = File::options().create(true).append(true).open(log).unwrap();
    for round in 0..rounds {
        // Unique among all processes.
        let id = u64::from(process::id()) << 32 | round as u64;
        let put = single(&server(round % SERVERS), 99, record(id));
        tier.put(&[put], NOW).unwrap();
        let taken = tier.take(&server(round * 5 % SERVERS), 1, NOW).unwrap();
        for record in taken.single_use {
            assert!(is_intact(&record));
            // One write system call, so that a kill does not lose it.
            log.write_all(&id_of(&record).to_be_bytes()).unwrap();
        }
    }
}

/// Begins a write transaction as the tier does, and creates the log.
fn write(dir: &Path, ready: &Path) {
    let env_dir = fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    // SAFETY: the file is the tier's own, which this process has not open otherwise.
    let file = unsafe { EnvOpenOptions::new().open(env_dir) }.unwrap();
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

/// A record that contains its id, and whose bytes and length follow from it.
pub(crate) fn record(id: u64) -> Vec<u8> {
    let mut record = vec![id.to_be_bytes()[7]; 108 + (id % 31) as usize * 97];
    record[..8].copy_from_slice(&id.to_be_bytes());
    record
}

pub(crate) fn id_of(record: &[u8]) -> u64 {
    u64::from_be_bytes(record[..8].try_into().unwrap())
}

pub(crate) fn is_intact(bytes: &[u8]) -> bool {
    record(id_of(bytes)) == bytes
}

/// Reads the ids in a log.
pub(crate) fn read_log(log: &Path) -> Vec<u64> {
    let bytes = fs::read(log).unwrap();
    assert_eq!(bytes.len() % 8, 0, "a truncated log");
    bytes.chunks_exact(8).map(id_of).collect()
}

/// Waits until a child has created its log.
pub(crate) fn wait_for(log: &Path) {
    while !log.exists() {
        thread::sleep(Duration::from_micros(200));
    }
}
