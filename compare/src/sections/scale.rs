//! Our store with a million servers: see [`peers::scale`].

use peers::scale::{self, Latency, Plan, Scale};

use crate::cli::RunOptions;
use crate::{counting, progress};
use report::{Report, ScaleRow};

/// Measures all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Vec<String> {
    let plan = if options.quick {
        Plan::quick(options.seed, counting::measure)
    } else {
        Plan::full(options.seed, counting::measure)
    };
    let bar = progress::bar(plan.steps(), "scale");
    let scale = scale::measure(&plan, &mut progress::each(&bar));
    bar.finish_and_clear();
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
