//! What one operation on a store costs, with real tickets of rustls; see [`peers::ops`].

use peers::ops::{self, Plan};

use crate::counting;
use crate::harness::Own;
use crate::progress::Progress;
use crate::run::Run;
use report::{Report, StoreOpRow};

/// Measures all that was asked for, and puts it into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let meter = counting::meter();
    let mut plan = if run.quick {
        Plan::quick(run.seed, meter)
    } else {
        Plan::full(run.seed, meter)
    };
    let own = run.own.iter().filter_map(Own::candidate);
    plan.stores.extend(own.cloned());
    if let Some(rounds) = run.rounds {
        plan.rounds = rounds;
    }
    progress.expect(plan.steps());
    let measured = ops::measure(&plan, &mut |what| progress.step(what));
    report.store_ops = measured.rows.iter().map(row).collect();
    let faulty = measured.faulty.iter().map(|(store, servers)| {
        format!(
            "store_ops: {store} has no rows for {servers} servers: it did not give every ticket that \
             was put, or gave one that was not"
        )
    });
    faulty.collect()
}

fn row(row: &ops::Row) -> StoreOpRow {
    StoreOpRow {
        store: row.store.to_string(),
        op: row.op.to_string(),
        servers: row.servers,
        ns_median: (row.ns * 10.0).round() / 10.0,
        allocations: row.allocations,
        n: Some(row.batches as u64),
    }
}
