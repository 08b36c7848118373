//! Threads that share one store: operations alone ([`peers::contention`]) and whole handshakes
//! ([`handshake_threads`]).

use peers::contention::{self, Plan};
use report::{ContentionRow, Report};

use super::handshake_threads;
use super::options::Options;
use crate::progress::Progress;

/// Measures both and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let (plan, handshakes) = if options.full {
        (Plan::full(options.seed), handshake_threads::Plan::full())
    } else {
        (Plan::quick(options.seed), handshake_threads::Plan::short())
    };
    let handshakes = handshake_threads::Plan {
        custom_stores: options.custom_stores.clone(),
        ..handshakes
    };
    progress.expect(plan.steps() + handshakes.steps());
    let rows = contention::measure(&plan, &mut |what| progress.step(what));
    report.contention = rows.iter().map(row).collect();
    let mut failures = Vec::new();
    match handshake_threads::measure(&handshakes, &mut |what| progress.step(what)) {
        Ok(rows) => report.contention.extend(rows),
        Err((scenario, error)) => failures.push(format!("contention, {scenario}: {error}")),
    }
    failures
}

fn row(row: &contention::Row) -> ContentionRow {
    ContentionRow {
        store: row.store.to_string(),
        mix: row.mix.to_string(),
        threads: row.threads,
        ops_per_s_per_thread: row.ops_per_s_per_thread.round(),
        n: Some(row.slices as u64),
    }
}
