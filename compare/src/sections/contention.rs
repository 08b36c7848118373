//! What threads get done that share a store: operations alone ([`peers::contention`]), and whole
//! handshakes ([`handshake_threads`]).

use peers::contention::{self, Plan};

use super::handshake_threads;
use crate::progress::Progress;
use crate::run::Run;
use report::{ContentionRow, Report};

/// Measures all that was asked for, and puts it into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let (plan, size) = if run.quick {
        (Plan::quick(run.seed), handshake_threads::Plan::quick())
    } else {
        (Plan::full(run.seed), handshake_threads::Plan::full())
    };
    let handshakes = handshake_threads::Plan {
        own: run.own.clone(),
        ..size
    };
    progress.expect(plan.steps() + handshakes.steps());
    let rows = contention::measure(&plan, &mut |what| progress.step(what));
    report.contention = rows.iter().map(row).collect();
    let mut mistakes = Vec::new();
    match handshake_threads::measure(&handshakes, &mut |what| progress.step(what)) {
        Ok(rows) => report.contention.extend(rows),
        Err((corner, error)) => mistakes.push(format!("contention, {corner}: {error}")),
    }
    mistakes
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
