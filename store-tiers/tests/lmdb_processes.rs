//! What the LMDB tier promises among processes: this program, run again as a child of itself.
#![cfg(feature = "lmdb")]

#[path = "lmdb/child.rs"]
mod child;
#[path = "lmdb/common.rs"]
mod common;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use child::{Role, SERVERS, id_of, is_whole, log_of, spawn, spawn_with_umask, wait_for};
use common::{NOW, server, single, take_all};
use store_tiers::Tier;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};

/// Not a test: what a child does. Without its orders, nothing.
#[test]
fn child() {
    child::run();
}

fn open(dir: &std::path::Path) -> LmdbTier {
    LmdbTier::open(dir, LmdbSettings::default()).expect("a place that opens")
}

/// Everything that is left, by id.
fn drain(tier: &mut LmdbTier) -> Vec<u64> {
    let records = (0..SERVERS).flat_map(|number| take_all(tier, &server(number)));
    let ids = records.map(|record| {
        assert!(is_whole(&record), "a record is not as it was put");
        id_of(&record)
    });
    ids.collect()
}

/// R7: four processes at work on the same servers, which find no place or a damaged one and must
/// agree on a new one: what is put where the others do not look would be lost.
#[test]
fn no_record_is_taken_by_two_processes() {
    for damaged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("place");
        if damaged {
            drop(open(&dir));
            let place = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
            fs::write(place.join("data.mdb"), "no database").unwrap();
        }
        let log = |number: usize| folder.path().join(number.to_string());
        let children: Vec<_> = (0..4).map(|n| spawn(Role::Some, &dir, &log(n))).collect();
        let mut taken = Vec::new();
        for (number, mut child) in children.into_iter().enumerate() {
            assert!(child.wait().unwrap().success());
            taken.extend(log_of(&log(number)));
        }
        let by_children = taken.len();
        taken.extend(drain(&mut open(&dir)));
        let once: HashSet<u64> = taken.iter().copied().collect();
        assert_eq!(once.len(), taken.len(), "a record was taken twice");
        assert_eq!(taken.len(), 4 * child::ROUNDS, "a record was lost");
        assert!(
            by_children > taken.len() / 2,
            "hardly any was taken: {by_children}"
        );
    }
}

/// R7: kill -9 at any moment, `KILL_TRIALS` times. A child logs each id that it was handed; what
/// was logged, or drained before, must not come out again.
#[test]
fn what_a_killed_process_took_never_comes_back() {
    let trials = std::env::var("KILL_TRIALS").map_or(60, |trials| trials.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("place");
    let mut seen = HashSet::new();
    let (mut logged, mut drained) = (0, 0);
    for trial in 0..trials {
        let logs = [0, 1].map(|child| folder.path().join(format!("{trial}-{child}")));
        let mut children = logs.clone().map(|log| spawn(Role::Forever, &dir, &log));
        for log in &logs {
            wait_for(log);
        }
        // Anything between one transaction and a thousand.
        thread::sleep(Duration::from_micros(trial * 7919 % 20_000));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut out: Vec<u64> = logs.iter().flat_map(|log| log_of(log)).collect();
        logged += out.len();
        let mut tier = open(&dir);
        tier.put(
            &[single(&server(0), 99, child::record(u64::MAX - trial))],
            NOW,
        )
        .unwrap();
        // Some trials begin with what the last one has left.
        if trial % 3 == 0 {
            let left = drain(&mut tier);
            assert!(left.contains(&(u64::MAX - trial)), "trial {trial}");
            drained += left.len();
            out.extend(left);
        }
        for id in out {
            assert!(seen.insert(id), "trial {trial}: {id:x} came out twice");
        }
        for log in &logs {
            fs::remove_file(log).unwrap();
        }
    }
    assert!(
        logged > 0 && drained > 0,
        "{logged} and {drained}: nothing was tried"
    );
    println!("{trials} trials: {logged} taken by killed processes, {drained} found afterwards");
}

/// A process that is stopped within a change: others open and look meanwhile, and go on after it.
#[test]
fn a_stopped_writer_holds_up_changes_only() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("place");
    let mut tier = open(&dir);
    tier.put(&[single(&server(1), 99, "ticket")], NOW).unwrap();
    drop(tier);
    let ready = folder.path().join("ready");
    let mut writer = spawn(Role::Write, &dir, &ready);
    wait_for(&ready);
    let signal = |name: &str| {
        let status = Command::new("kill")
            .arg(name)
            .arg(writer.id().to_string())
            .status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    let mut tier = open(&dir);
    assert!(tier.take(&server(2), 1, NOW).unwrap().single_use.is_empty());
    assert!(!tier.sweep(NOW).unwrap());
    let (done, wait) = mpsc::channel();
    let taking = thread::spawn(move || {
        let taken = take_all(&mut tier, &server(1));
        done.send(taken).unwrap();
    });
    let early = wait.recv_timeout(Duration::from_millis(200));
    assert_eq!(
        early,
        Err(RecvTimeoutError::Timeout),
        "the writer still has the lock"
    );
    signal("-CONT");
    fs::remove_file(&ready).unwrap(); // so that the writer ends its transaction
    assert_eq!(wait.recv().unwrap(), [b"ticket"]);
    taking.join().unwrap();
    assert!(writer.wait().unwrap().success());
}

/// The same if it is killed instead: its lock is freed.
#[test]
fn a_killed_writer_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("place");
    let mut tier = open(&dir);
    tier.put(&[single(&server(1), 99, "ticket")], NOW).unwrap();
    let ready = folder.path().join("ready");
    let mut writer = spawn(Role::Write, &dir, &ready);
    wait_for(&ready);
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(take_all(&mut tier, &server(1)), [b"ticket"]);
}

/// Processes that do not agree on the size of the file: the first decides, and nobody cuts it.
#[test]
fn processes_may_want_different_sizes() {
    for bytes in [1 << 20, 16 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("place");
        let settings = LmdbSettings::default().with_bytes(bytes);
        let mut tier = LmdbTier::open(&dir, settings).unwrap();
        let put = |tier: &mut LmdbTier, number| {
            let record = single(&server(number), 10_000 + number as u64, vec![7; 40_000]);
            tier.put(&[record], NOW).unwrap();
        };
        (0..200).for_each(|number| put(&mut tier, number));
        let mut other = spawn(Role::Fill, &dir, &folder.path().join("log"));
        assert!(other.wait().unwrap().success());
        // All of the file again.
        (200..600).for_each(|number| put(&mut tier, number));
        assert_eq!(take_all(&mut tier, &server(599)).len(), 1, "{bytes}");
        let place = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let file = fs::metadata(place.join("data.mdb")).unwrap();
        assert_eq!(file.len(), bytes as u64);
    }
}

/// R25: whatever the umask is.
#[test]
fn files_are_the_owners_under_any_umask() {
    for umask in ["000", "022", "077", "277", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("place");
        let log = folder.path().join("log");
        let mut child = spawn_with_umask(umask, Role::Some, &dir, &log);
        assert!(child.wait().unwrap().success(), "{umask}");
        let place = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let mode = |path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(dir), mode(place.clone())), (0o700, 0o700), "{umask}");
        for entry in fs::read_dir(place).unwrap() {
            assert_eq!(mode(entry.unwrap().path()), 0o600, "{umask}");
        }
    }
}
