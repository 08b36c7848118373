//! The workloads yield plausible rows on small plans.

use std::time::Duration;

use peers::ops::Op;
use peers::{Allocated, StoreFactory, StoreKind, contention, empty, ops, scale};

fn meter(work: &mut dyn FnMut()) -> Allocated {
    let info = allocation_counter::measure(work);
    Allocated {
        count: info.count_total,
        bytes: info.bytes_current,
    }
}

#[test]
fn every_store_has_a_row_for_every_operation() {
    let plan = ops::Plan {
        stores: StoreFactory::built_in(),
        servers: vec![1, 300],
        rounds: 2,
        seed: 1,
        meter: Some(meter),
    };
    let mut steps = 0;
    let measured = ops::measure(&plan, &mut |_| steps += 1);
    assert_eq!(steps, plan.steps());
    // hyper-openssl is unbounded and has no row at capacity.
    assert_eq!(
        measured.rows.len(),
        2 * (Op::ALL.len() * StoreKind::ALL.len() - 1)
    );
    for row in &measured.rows {
        assert!(row.ns > 0.0, "{row:?}");
        let allocations = row.allocations.expect("there is a meter");
        assert_eq!(row.bytes_per_server.is_some(), row.op == Op::Put, "{row:?}");
        assert!(
            row.bytes_per_server.is_none_or(|bytes| bytes > 50.0),
            "{row:?}"
        );
        // A put of a new server allocates; one of a server that is still stored may not.
        if row.op == Op::PutAtCapacity && row.servers > 1 {
            assert!(allocations > 0.0, "{row:?}");
        }
        // Tickets are moved, so that all counted allocations are the store's.
        let rustls_clones_names = row.store == StoreKind::RustlsMemory.into() && row.op == Op::Put;
        if rustls_clones_names {
            assert!((allocations - 2.0).abs() < f64::EPSILON, "{row:?}");
        }
        if row.store == StoreKind::TlsResume.into()
            && matches!(row.op, Op::Take | Op::Miss | Op::Hint)
        {
            assert!(allocations < f64::EPSILON, "{row:?}");
        }
    }
}

#[test]
fn an_empty_cache_of_rustls_has_its_slots_allocated() {
    let rows = empty::measure(meter);
    let bytes = |name| {
        let row = rows.iter().find(|row| row.store == name);
        row.expect("every store has a row").allocated.bytes
    };
    assert!(bytes(StoreKind::RustlsMemory) > 100 * bytes(StoreKind::HyperOpenssl));
}

#[test]
fn every_mix_has_a_throughput() {
    let plan = contention::Plan {
        threads: vec![1, 3],
        slice: Duration::from_millis(1),
        rounds: 1,
        seed: 1,
    };
    let rows = contention::measure(&plan, &mut |_| ());
    assert_eq!(
        rows.len(),
        contention::Mix::ALL.len() * 2 * StoreKind::ALL.len()
    );
    assert!(rows.iter().all(|row| row.ops_per_s_per_thread > 0.0));
}

#[test]
fn a_large_store_evicts_and_sweeps_within_its_budget() {
    let plan = scale::Plan {
        servers: 4_000,
        rounds: 4_000,
        seed: 1,
        meter,
    };
    let scale = scale::measure(&plan, &mut |_| ());
    assert!(scale.stats.evicted > 0 && scale.stats.expired > 0);
    assert!(scale.stats.bytes <= scale.budget as u64);
    assert!(scale.allocated > scale.budget / 2);
    assert_eq!(
        scale.latencies.iter().map(|one| one.n).collect::<Vec<_>>(),
        [8_000, 4_000, 4_000, 8_000]
    );
    for latency in &scale.latencies {
        assert!(latency.p50_us <= latency.p99_us && latency.p99_99_us <= latency.max_us);
    }
}
