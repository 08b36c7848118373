//! The contract of [`Tier`] among processes: children are this test program, run again.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use store_tiers::Tier;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};

use super::child::{
    self, Role, SERVERS, id_of, is_intact, read_log, spawn, spawn_with_umask, wait_for,
};
use super::fixtures::{NOW, server, single, take_all};

fn open(dir: &std::path::Path) -> LmdbTier {
    LmdbTier::open(dir, LmdbSettings::default()).expect("the tier opens")
}

/// Takes all records that are left, and returns their ids.
fn drain(tier: &mut LmdbTier) -> Vec<u64> {
    let records = (0..SERVERS).flat_map(|number| take_all(tier, &server(number)));
    let ids = records.map(|record| {
        assert!(is_intact(&record), "a record is not as it was put");
        id_of(&record)
    });
    ids.collect()
}

/// R7: four processes use the same servers, after they agreed on a new file instead of a missing or
/// damaged one. Records that one puts into another file would be lost.
#[test]
fn no_record_is_taken_by_two_processes() {
    for damaged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("tier");
        if damaged {
            drop(open(&dir));
            let env_dir = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
            fs::write(env_dir.join("data.mdb"), "no database").unwrap();
        }
        let log = |number: usize| folder.path().join(number.to_string());
        let children: Vec<_> = (0..4).map(|n| spawn(Role::Rounds, &dir, &log(n))).collect();
        let mut taken = Vec::new();
        for (number, mut child) in children.into_iter().enumerate() {
            assert!(child.wait().unwrap().success());
            taken.extend(read_log(&log(number)));
        }
        let by_children = taken.len();
        taken.extend(drain(&mut open(&dir)));
        let distinct: HashSet<u64> = taken.iter().copied().collect();
        assert_eq!(distinct.len(), taken.len(), "a record was taken twice");
        assert_eq!(taken.len(), 4 * child::ROUNDS, "a record was lost");
        assert!(
            by_children > taken.len() / 2,
            "too few were taken by children: {by_children}"
        );
    }
}

/// R7: kill -9 at any moment, `KILL_TRIALS` times. A child logs the ids of the records that it
/// takes: a record that was logged or drained must not be taken again.
#[test]
fn a_record_taken_by_a_killed_process_never_comes_back() {
    let trials = std::env::var("KILL_TRIALS").map_or(60, |trials| trials.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("tier");
    let mut seen = HashSet::new();
    let (mut logged, mut drained) = (0, 0);
    for trial in 0..trials {
        let logs = [0, 1].map(|child| folder.path().join(format!("{trial}-{child}")));
        let mut children = logs.clone().map(|log| spawn(Role::Forever, &dir, &log));
        for log in &logs {
            wait_for(log);
        }
        // Between one transaction and about a thousand.
        thread::sleep(Duration::from_micros(trial * 7919 % 20_000));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut ids: Vec<u64> = logs.iter().flat_map(|log| read_log(log)).collect();
        logged += ids.len();
        let mut tier = open(&dir);
        tier.put(
            &[single(&server(0), 99, child::record(u64::MAX - trial))],
            NOW,
        )
        .unwrap();
        // Other trials begin with the records that the last one left.
        if trial % 3 == 0 {
            let left = drain(&mut tier);
            assert!(left.contains(&(u64::MAX - trial)), "trial {trial}");
            drained += left.len();
            ids.extend(left);
        }
        for id in ids {
            assert!(seen.insert(id), "trial {trial}: {id:x} was taken twice");
        }
        for log in &logs {
            fs::remove_file(log).unwrap();
        }
    }
    assert!(
        logged > 0 && drained > 0,
        "nothing was tested: {logged} and {drained}"
    );
    println!("{trials} trials: {logged} taken by killed processes, {drained} found afterwards");
}

/// Other processes can open and read while a process is stopped within a write transaction, and
/// write after it.
#[test]
fn a_stopped_writer_blocks_writers_only() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("tier");
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

/// Its lock is released.
#[test]
fn a_killed_writer_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("tier");
    let mut tier = open(&dir);
    tier.put(&[single(&server(1), 99, "ticket")], NOW).unwrap();
    let ready = folder.path().join("ready");
    let mut writer = spawn(Role::Write, &dir, &ready);
    wait_for(&ready);
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(take_all(&mut tier, &server(1)), [b"ticket"]);
}

/// The process that creates the file decides its size, and no other truncates it.
#[test]
fn processes_may_have_different_sizes() {
    for bytes in [1 << 20, 16 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("tier");
        let settings = LmdbSettings::default().with_bytes(bytes);
        let mut tier = LmdbTier::open(&dir, settings).unwrap();
        let put = |tier: &mut LmdbTier, number| {
            let record = single(&server(number), 10_000 + number as u64, vec![7; 40_000]);
            tier.put(&[record], NOW).unwrap();
        };
        (0..200).for_each(|number| put(&mut tier, number));
        let mut other = spawn(Role::Fill, &dir, &folder.path().join("log"));
        assert!(other.wait().unwrap().success());
        // Uses the whole file.
        (200..600).for_each(|number| put(&mut tier, number));
        assert_eq!(take_all(&mut tier, &server(599)).len(), 1, "{bytes}");
        let env_dir = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let file = fs::metadata(env_dir.join("data.mdb")).unwrap();
        assert_eq!(file.len(), bytes as u64);
    }
}

/// R25.
#[test]
fn files_are_the_owners_under_any_umask() {
    for umask in ["000", "022", "077", "277", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("tier");
        let log = folder.path().join("log");
        let mut child = spawn_with_umask(umask, Role::Rounds, &dir, &log);
        assert!(child.wait().unwrap().success(), "{umask}");
        let env_dir = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let mode = |path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(
            (mode(dir), mode(env_dir.clone())),
            (0o700, 0o700),
            "{umask}"
        );
        for entry in fs::read_dir(env_dir).unwrap() {
            assert_eq!(mode(entry.unwrap().path()), 0o600, "{umask}");
        }
    }
}
