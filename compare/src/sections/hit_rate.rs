//! How often a session is there when it is needed, at equal bytes.
//!
//! Traces of connections in simulated time, the same for every store; simulated servers with real
//! lifetimes, who take nothing twice, count what was resumed. See [`peers::traces`].

use peers::traces::{self, Plan, Rate, Store};

use crate::progress::Progress;
use crate::run::Run;
use report::{HitRateRow, Report};

/// Replays all that was asked for, and puts it into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let plan = if run.quick {
        Plan::quick(run.seed)
    } else {
        Plan::full(run.seed)
    };
    progress.expect(plan.steps());
    let rates = traces::measure(&plan, &mut |what| progress.step(what));
    report.hit_rate = rates.iter().map(row).collect();
    rates.iter().filter_map(mistake).collect()
}

/// What the report says of a rate.
pub fn row(rate: &Rate) -> HitRateRow {
    HitRateRow {
        trace: rate.trace.clone(),
        store: rate.store.to_string(),
        budget: rate.budget,
        connections: rate.tally.connections,
        rate: rate.resumed(),
    }
}

/// What a store did that no client may do.
pub fn mistake(rate: &Rate) -> Option<String> {
    let Rate { trace, store, .. } = rate;
    let (twice, elsewhere) = (rate.tally.used_twice, rate.tally.foreign);
    if twice > 0 || elsewhere > 0 {
        return Some(format!(
            "hit rate, {trace}, {store}: {twice} tickets offered twice, {elsewhere} to servers \
             that did not give them"
        ));
    }
    let late = rate.tally.expired;
    (*store == Store::TlsResume && late > 0)
        .then(|| format!("hit rate, {trace}, {store}: {late} tickets offered that had expired"))
}
