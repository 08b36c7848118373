//! Our store with a million servers; see [`peers::scale`].

use peers::scale::{self, Latency, Plan, Scale};
use report::{Report, ScaleRow, Section};

use super::options::Options;
use crate::counting;
use crate::progress::Progress;

/// Measures the store and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let Some(meter) = counting::meter() else {
        let why = "the program's allocator does not count";
        let section = Section::Scale.as_str();
        report.skipped.insert(section.to_owned(), why.to_owned());
        return Vec::new();
    };
    let plan = if options.full {
        Plan::full(options.seed, meter)
    } else {
        Plan::quick(options.seed, meter)
    };
    progress.expect(plan.steps());
    let scale = scale::measure(&plan, &mut |what| progress.step(what));
    report.scale = scale.latencies.iter().map(|op| row(op, &scale)).collect();
    Vec::new()
}

fn row(latency: &Latency, scale: &Scale) -> ScaleRow {
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    ScaleRow {
        op: latency.op.to_string(),
        servers: count(scale.stats.servers),
        budget: scale.budget,
        bytes_counted: count(scale.stats.bytes),
        bytes_allocated: scale.allocated,
        n: latency.n,
        p50_us: latency.p50_us,
        p99_us: latency.p99_us,
        p99_9_us: latency.p99_9_us,
        p99_99_us: latency.p99_99_us,
        max_us: latency.max_us,
    }
}
