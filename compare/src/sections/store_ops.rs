//! What one operation on a store costs, with real tickets of rustls; see [`peers::ops`].

use peers::ops::{self, Plan};

use crate::cli::RunOptions;
use crate::{counting, progress};
use report::{Report, StoreOpRow};

/// Measures all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Vec<String> {
    let plan = if options.quick {
        Plan::quick(options.seed, Some(counting::measure))
    } else {
        Plan::full(options.seed, Some(counting::measure))
    };
    let bar = progress::bar(plan.steps(), "store");
    let measured = ops::measure(&plan, &mut progress::each(&bar));
    bar.finish_and_clear();
    report.store_ops = measured.rows.iter().map(row).collect();
    Vec::new()
}

fn row(row: &ops::Row) -> StoreOpRow {
    StoreOpRow {
        store: row.store.to_string(),
        op: row.op.to_string(),
        servers: row.servers,
        ns_median: (row.ns * 10.0).round() / 10.0,
        allocations: row.allocations,
    }
}
