//! The cost of one store operation, with real rustls tickets; see [`peers::ops`].

use peers::ops::{self, Plan};
use report::{Report, StoreOpRow};

use super::options::Options;
use crate::counting;
use crate::harness::CustomStore;
use crate::progress::Progress;

/// Measures all operations and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let meter = counting::meter();
    let mut plan = if options.full {
        Plan::full(options.seed, meter)
    } else {
        Plan::quick(options.seed, meter)
    };
    let custom = options.custom_stores.iter();
    plan.stores
        .extend(custom.filter_map(CustomStore::store_factory).cloned());
    if let Some(rounds) = options.rounds {
        plan.rounds = rounds;
    }
    progress.expect(plan.steps());
    let measured = ops::measure(&plan, &mut |what| progress.step(what));
    report.store_ops = measured.rows.iter().map(row).collect();
    let faulty = measured.faulty.iter().map(|(store, servers)| {
        format!(
            "store_ops: {store} has no rows for {servers} servers: it did not return every ticket \
             that was put, or returned one that was not"
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
        bytes_per_server: row.bytes_per_server.map(f64::round),
    }
}
