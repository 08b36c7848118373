//! The section `memory`: real processes, whose heaps are weighed.

mod common;
#[path = "common/shown.rs"]
mod shown;

use std::path::Path;

use common::{compare, file};
use compare::sections::memory::{self, Holder, Plan, Population};
use lab::server::Protocol;
use report::{MemoryRow, Section};
use shown::shown;

fn plan(program: &Path) -> Plan {
    let of = |protocol, handshakes, tickets| Population {
        protocol,
        servers: 12,
        handshakes,
        tickets,
    };
    Plan {
        populations: vec![
            of(Protocol::Tls13, 1, 2),
            of(Protocol::Tls13, 3, 1),
            of(Protocol::Tls12, 1, 1),
        ],
        ..Plan::quick(program.to_owned())
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
        for holder in Holder::ALL {
            let row = rows.next().expect("a row for each");
            assert_eq!(row.protocol, population.protocol.to_string());
            assert_eq!(row.session, holder.session());
            assert_eq!(row.servers, population.servers);
            assert_eq!(row.sessions, population.sessions());
            plausible(row, holder);
        }
    }
    assert_eq!(rows.next(), None);
    shown(Section::Memory, |report| report.memory = measured.rows);
}

/// Neither nothing was weighed, nor anything but sessions.
fn plausible(row: &MemoryRow, holder: Holder) {
    assert!((3_200..3_400).contains(&row.chain_bytes), "{row:?}");
    let reference = holder == Holder::RustlsMemory;
    assert_eq!(row.counted_per_session.is_none(), reference, "{row:?}");
    assert_eq!(
        row.ratio_to_rustls_memory == Some(1.0),
        reference,
        "{row:?}"
    );
    // A session has its ticket and its secret; the largest ones have the whole chain as OpenSSL
    // parses it.
    let used = row.bytes_per_session_after_churn.expect("was measured");
    for bytes in [row.bytes_per_session, used] {
        assert!((250.0..40_000.0).contains(&bytes), "{row:?}");
    }
    if reference {
        // Each session of rustls's has a copy of the chain.
        assert!(row.bytes_per_session > 3_200.0, "{row:?}");
        // One cell for each of 32 servers, at least.
        assert!(row.bytes_empty > 32 * 100, "{row:?}");
    }
}

#[test]
fn a_process_that_fails_says_so() {
    let mut plan = plan(&file("no-worker", ""));
    plan.populations.truncate(1);
    let measured = memory::measure(&plan, &mut |_| {});
    assert!(measured.rows.is_empty(), "{:?}", measured.rows);
    assert_eq!(measured.failed.len(), Holder::ALL.len());
    let first = &measured.failed[0];
    assert!(
        first.starts_with("memory: rustls-memory: a process does not start"),
        "{first}"
    );
}

#[test]
fn a_process_refuses_what_it_cannot_weigh() {
    let ran = compare(&["memory-worker", "opaque", "1.3", "0", "1", "1"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    ran.one_line("give a number");
    let ran = compare(&["memory-worker", "nobody", "1.3", "1", "1", "1"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    ran.one_line("nobody");
}
