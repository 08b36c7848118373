//! The section `fleet`, with its client processes and a real Redis.

use std::path::Path;

use crate::program::{compare, file};
use crate::table::terminal_text;
use compare::sections::fleet::{self, Plan, SERVERS};
use report::Section;

fn plan(program: &Path) -> Plan {
    Plan {
        processes: vec![1, 3],
        connections: [40, 20],
        ..Plan::short(program.to_owned(), 1)
    }
}

/// R7: by the server's own count.
#[test]
fn processes_resume_and_use_no_ticket_twice() {
    let plan = plan(env!("CARGO_BIN_EXE_compare").as_ref());
    let mut steps = 0;
    let measured = fleet::measure(&plan, &mut |_| steps += 1);
    assert_eq!((measured.skipped, measured.failed), (None, Vec::new()));
    assert_eq!((steps, measured.rows.len()), (plan.steps(), 2));
    for (row, processes) in measured.rows.iter().zip([1, 3]) {
        assert_eq!((row.tier.as_str(), row.processes), ("redis", processes));
        assert_eq!((row.servers, row.connections), (SERVERS, 20 * processes));
        assert_eq!((row.used_twice, row.failures), (0, 0), "{row:?}");
        assert!(0.0 < row.resumed_rate && row.resumed_rate <= 1.0, "{row:?}");
        assert!(row.redis_bytes > 0 && row.seconds > 0.0, "{row:?}");
    }
    terminal_text(Section::Fleet, |report| report.fleet = measured.rows);
}

#[test]
fn without_redis_it_is_skipped() {
    let mut plan = plan(env!("CARGO_BIN_EXE_compare").as_ref());
    "/nowhere/redis-server".clone_into(&mut plan.redis_server);
    let measured = fleet::measure(&plan, &mut |_| {});
    assert!(measured.rows.is_empty() && measured.failed.is_empty());
    let why = measured.skipped.unwrap();
    assert!(why.contains("apt-get install redis-server"), "{why}");
}

#[test]
fn a_process_that_cannot_be_started_is_reported() {
    let measured = fleet::measure(&plan(&file("no-fleet", "")), &mut |_| {});
    assert!(measured.rows.is_empty());
    let why = &measured.failed[0];
    assert!(
        why.starts_with("fleet: cannot start a worker process"),
        "{why}"
    );
}

#[test]
fn a_client_process_prints_why_it_failed() {
    let ran = compare(&[
        "fleet-worker",
        "redis://127.0.0.1:1",
        "/nowhere/roots",
        "keys",
    ]);
    assert_eq!(ran.code, 2, "{}", ran.out); // arguments are missing
    let numbers = ["1", "1", "1", "1", "1"];
    let words = [
        "fleet-worker",
        "redis://127.0.0.1:1",
        "/nowhere/roots",
        "keys",
    ];
    let ran = compare(&[&words[..], &numbers].concat());
    assert_eq!(ran.code, 1, "{}", ran.out);
    ran.one_line("/nowhere/roots");
}
