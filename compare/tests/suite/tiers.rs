//! The section `tiers`, with its child processes, LMDB and Redis.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Ran, compare, file};
use crate::table::terminal_text;
use compare::sections::tiers::{self, OPS, PROCESSES, Plan};
use report::Section;

fn plan(program: &Path) -> Plan {
    Plan {
        rounds: 20,
        ..Plan::short(program.to_owned())
    }
}

#[test]
fn the_calls_of_all_processes_count() {
    let plan = plan(env!("CARGO_BIN_EXE_compare").as_ref());
    let mut steps = 0;
    let measured = tiers::measure(&plan, &mut |_| steps += 1);
    assert!(measured.missing.is_empty(), "{:?}", measured.missing);
    assert!(measured.failed.is_empty(), "{:?}", measured.failed);
    assert_eq!(steps, tiers::steps());

    let mut rows = measured.rows.iter();
    for tier in ["lmdb", "redis"] {
        for processes in PROCESSES {
            for op in OPS {
                let row = rows.next().unwrap();
                assert_eq!((row.tier.as_str(), row.op.as_str()), (tier, op));
                assert_eq!((row.processes, row.n), (processes, 20 * processes));
                assert!(
                    0.0 < row.median_us && row.median_us <= row.p99_us,
                    "{row:?}"
                );
            }
        }
    }
    assert_eq!(rows.next(), None);
    terminal_text(Section::Tiers, |report| report.tiers = measured.rows);
}

#[test]
fn without_redis_its_rows_are_skipped() {
    let mut plan = plan(env!("CARGO_BIN_EXE_compare").as_ref());
    "/nowhere/redis-server".clone_into(&mut plan.redis_server);
    let measured = tiers::measure(&plan, &mut |_| {});
    assert_eq!(tiers::errors(&measured).count(), 0);
    assert_eq!(measured.rows.len(), PROCESSES.len() * OPS.len());
    assert!(measured.rows.iter().all(|row| row.tier == "lmdb"));
    let skipped: Vec<_> = measured.skipped().collect();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0].0, "tiers (redis)");
    assert!(skipped[0].1.contains("apt-get install redis-server"));
    let text = terminal_text(Section::Tiers, |report| report.skipped.extend(skipped));
    assert!(text.contains("skipped: tiers (redis): "), "{text}");
}

#[test]
fn a_failed_tier_is_reported() {
    let measured = tiers::measure(&plan(&file("no-program", "")), &mut |_| {});
    let errors: Vec<_> = tiers::errors(&measured).collect();
    assert!(measured.rows.is_empty(), "{:?}", measured.rows);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].starts_with("tiers: lmdb: cannot start a worker process"),
        "{errors:?}"
    );
    assert!(measured.skipped().any(|(tier, _)| tier == "tiers (lmdb)"));
}

#[test]
fn a_worker_process_prints_why_it_failed() {
    let ran = compare(&["tiers-worker", "lmdb:/nowhere/sessions", "1"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    ran.one_line("/nowhere");

    let orphan = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["tiers-worker", "redis://127.0.0.1:1", "1"])
        .stdin(Stdio::null())
        .output();
    let orphan = Ran::from(orphan.unwrap());
    assert_eq!(orphan.code, 1, "{}", orphan.out);
    orphan.one_line("redis");
}
