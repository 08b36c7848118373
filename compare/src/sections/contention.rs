//! What threads get done that share a store: operations alone ([`peers::contention`]), and whole
//! handshakes ([`handshake_threads`]).

use peers::contention::{self, Plan};

use super::handshake_threads;
use crate::cli::RunOptions;
use crate::progress;
use report::{ContentionRow, Report};

/// Measures all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Vec<String> {
    let (plan, handshakes) = if options.quick {
        let handshakes = handshake_threads::Plan::quick();
        (Plan::quick(options.seed), handshakes)
    } else {
        let handshakes = handshake_threads::Plan::full();
        (Plan::full(options.seed), handshakes)
    };
    let bar = progress::bar(plan.steps() + handshakes.steps(), "contention");
    let rows = contention::measure(&plan, &mut progress::each(&bar));
    report.contention = rows.iter().map(row).collect();
    let mut mistakes = Vec::new();
    match handshake_threads::measure(&handshakes, &mut progress::each(&bar)) {
        Ok(rows) => report.contention.extend(rows),
        Err((corner, error)) => mistakes.push(format!("contention, {corner}: {error}")),
    }
    bar.finish_and_clear();
    mistakes
}

fn row(row: &contention::Row) -> ContentionRow {
    ContentionRow {
        store: row.store.to_string(),
        mix: row.mix.to_string(),
        threads: row.threads,
        ops_per_s_per_thread: row.ops_per_s_per_thread.round(),
    }
}
