//! The section `memory`, with its child processes.

use std::path::Path;

use crate::program::{compare, file};
use crate::table::terminal_text;
use compare::sections::memory::{self, Plan, Population, Subject};
use lab::server::Protocol;
use report::{MemoryRow, Section};

fn plan(program: &Path) -> Plan {
    let population = |protocol, handshakes, tickets| Population {
        protocol,
        servers: 12,
        handshakes,
        tickets,
    };
    Plan {
        populations: vec![
            population(Protocol::Tls13, 1, 2),
            population(Protocol::Tls13, 3, 1),
            population(Protocol::Tls12, 1, 1),
        ],
        ..Plan::short(program.to_owned())
    }
}

#[test]
fn every_store_is_weighed_with_every_population() {
    let plan = plan(env!("CARGO_BIN_EXE_compare").as_ref());
    let mut steps = 0;
    let measured = memory::measure(&plan, &mut |_| steps += 1);
    assert!(measured.failed.is_empty(), "{:?}", measured.failed);
    assert_eq!(steps, plan.steps());

    let mut rows = measured.rows.iter();
    for population in &plan.populations {
        for subject in Subject::ALL {
            let row = rows.next().expect("a row for each");
            assert_eq!(row.protocol, population.protocol.to_string());
            assert_eq!(row.session, subject.session());
            assert_eq!(row.servers, population.servers);
            assert_eq!(row.sessions, population.sessions());
            assert_plausible(row, subject);
        }
    }
    assert_eq!(rows.next(), None);
    terminal_text(Section::Memory, |report| report.memory = measured.rows);
}

/// Checks that a row has the size of sessions.
fn assert_plausible(row: &MemoryRow, subject: Subject) {
    assert!((3_200..3_400).contains(&row.chain_bytes), "{row:?}");
    let reference = subject == Subject::RustlsMemory;
    assert_eq!(row.counted_per_session.is_none(), reference, "{row:?}");
    assert_eq!(
        row.ratio_to_rustls_memory == Some(1.0),
        reference,
        "{row:?}"
    );
    // The smallest sessions have a ticket and a secret; the largest have the whole chain, parsed by
    // OpenSSL.
    let used = row.bytes_per_session_after_churn.expect("measured");
    for bytes in [row.bytes_per_session, used] {
        assert!((250.0..40_000.0).contains(&bytes), "{row:?}");
    }
    if reference {
        // Each session of rustls has a copy of the chain.
        assert!(row.bytes_per_session > 3_200.0, "{row:?}");
        // At least one slot for each of 32 servers.
        assert!(row.bytes_empty > 32 * 100, "{row:?}");
    }
}

#[test]
fn a_failed_child_process_is_reported() {
    let mut plan = plan(&file("no-worker", ""));
    plan.populations.truncate(1);
    let measured = memory::measure(&plan, &mut |_| {});
    assert!(measured.rows.is_empty(), "{:?}", measured.rows);
    assert_eq!(measured.failed.len(), Subject::ALL.len());
    let first = &measured.failed[0];
    assert!(
        first.starts_with("memory: rustls-memory: cannot start a child process"),
        "{first}"
    );
}

#[test]
fn a_child_process_rejects_wrong_arguments() {
    let ran = compare(&["memory-worker", "opaque", "1.3", "0", "1", "1"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    ran.one_line("give a number");
    let ran = compare(&["memory-worker", "nobody", "1.3", "1", "1", "1"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    ran.one_line("nobody");
}
