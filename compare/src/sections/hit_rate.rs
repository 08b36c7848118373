//! How often a store has a session when it is needed, at equal bytes.
//!
//! Every store replays the same traces of connections in simulated time. Simulated servers with real
//! ticket lifetimes accept each ticket once and count what was resumed. See [`peers::traces`].

use peers::traces::{self, Plan, Rate, Store};
use report::{HitRateRow, Report};

use super::options::Options;
use crate::progress::Progress;

/// Replays all traces and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let plan = if options.full {
        Plan::full(options.seed)
    } else {
        Plan::quick(options.seed)
    };
    progress.expect(plan.steps());
    let rates = traces::measure(&plan, &mut |what| progress.step(what));
    report.hit_rate = rates.iter().map(row).collect();
    rates.iter().filter_map(violation).collect()
}

/// The report's row for a rate.
pub fn row(rate: &Rate) -> HitRateRow {
    HitRateRow {
        trace: rate.trace.clone(),
        store: rate.store.to_string(),
        budget: rate.budget,
        connections: rate.tally.connections,
        rate: rate.resumed(),
    }
}

/// What a store did that no client may do: a ticket offered twice, to another server, or (our store)
/// after it expired.
pub fn violation(rate: &Rate) -> Option<String> {
    let Rate { trace, store, .. } = rate;
    let (twice, elsewhere) = (rate.tally.used_twice, rate.tally.foreign);
    if twice > 0 || elsewhere > 0 {
        return Some(format!(
            "hit rate, {trace}, {store}: {twice} tickets offered twice, {elsewhere} to servers \
             that did not issue them"
        ));
    }
    let late = rate.tally.expired;
    (*store == Store::TlsResume && late > 0)
        .then(|| format!("hit rate, {trace}, {store}: {late} expired tickets offered"))
}
