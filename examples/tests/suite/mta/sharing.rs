//! The program's results with and without sharing.

use std::process::Command;

use examples::mta::{Backend, Summary};

use super::common::{MTA, redis};

fn summaries(arguments: &[&str]) -> Vec<Summary> {
    let out = Command::new(MTA)
        .args(arguments)
        .arg("--json")
        .output()
        .expect("the program");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{stderr}");
    let text = String::from_utf8(out.stdout).expect("text");
    let summary = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    text.lines().map(summary).collect()
}

/// With one connection per process, none is resumed without sharing, and nearly all with it.
#[test]
fn processes_that_share_resume() {
    drop(redis()); // fails with instructions if there is no Redis
    for (backend, once) in Backend::ALL
        .into_iter()
        .flat_map(|one| [(one, true), (one, false)])
    {
        let backend = backend.to_string();
        let arguments = [
            "--deliveries",
            "60",
            "--backend",
            &backend,
            "--tickets-once",
        ];
        let used = if once { 5 } else { 4 };
        let summaries = summaries(&arguments[..used]);
        let [memory, lmdb, redis] = &summaries[..] else {
            panic!("three stores expected: {summaries:?}");
        };
        assert_eq!(
            [&memory.store, &lmdb.store, &redis.store],
            ["memory", "lmdb", "redis"]
        );
        assert_eq!(memory.resumed, 0);
        for shared in [lmdb, redis] {
            assert_eq!(shared.deliveries, 60);
            assert!(shared.rate >= 0.8, "{shared:?}");
            assert_eq!(shared.used_twice == 0, once, "{shared:?}");
        }
    }
}

/// Without sharing, a process resumes all but its first connection.
#[test]
fn a_process_resumes_its_own_sessions_without_sharing() {
    let summaries = summaries(&[
        "--store",
        "memory:",
        "--messages",
        "10",
        "--deliveries",
        "20",
        "--servers",
        "1",
    ]);
    assert_eq!((summaries[0].processes, summaries[0].resumed), (2, 18));
}
