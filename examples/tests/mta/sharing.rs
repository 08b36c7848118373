//! What the program shows: the same deliveries with and without sharing.

use std::process::Command;

use examples::mta::{Backend, Round};

use crate::common::{MTA, redis};

fn rounds(arguments: &[&str]) -> Vec<Round> {
    let out = Command::new(MTA)
        .args(arguments)
        .arg("--json")
        .output()
        .expect("the program");
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{told}");
    let text = String::from_utf8(out.stdout).expect("text");
    let round = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    text.lines().map(round).collect()
}

/// Each process makes one connection: without sharing none is resumed, with it nearly all are.
#[test]
fn processes_that_share_resume() {
    drop(redis()); // or there is advice
    for backend in Backend::ALL {
        let rounds = rounds(&["--deliveries", "60", "--backend", &backend.to_string()]);
        let [memory, lmdb, redis] = &rounds[..] else {
            panic!("three stores expected: {rounds:?}");
        };
        assert_eq!(
            [&memory.store, &lmdb.store, &redis.store],
            ["memory", "lmdb", "redis"]
        );
        assert_eq!(memory.resumed, 0);
        for shared in [lmdb, redis] {
            assert_eq!(shared.deliveries, 60);
            assert!(shared.rate >= 0.8, "{shared:?}");
            assert_eq!(shared.used_twice, 0, "{shared:?}");
        }
    }
}

/// A process that goes on has sessions of its own: sharing only helps with the first connections.
#[test]
fn a_process_resumes_its_own_sessions_in_any_case() {
    let rounds = rounds(&[
        "--store",
        "memory:",
        "--messages",
        "10",
        "--deliveries",
        "20",
        "--servers",
        "1",
    ]);
    assert_eq!((rounds[0].processes, rounds[0].resumed), (2, 18));
}
