//! Our store with a million servers: see [`peers::scale`].

use peers::scale::{self, Latency, Plan, Scale};

use crate::cli::RunOptions;
use crate::report::{Report, ScaleRow};
use crate::table::Style;
use crate::{counting, progress};

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

/// What the report has of it, for people to read.
pub fn text(report: &Report, style: Style) -> String {
    let title = "A store of very many servers that evicts and sweeps: microseconds a call, and \
                 bytes.";
    style.titled(title, show(&report.scale, style))
}

/// The rows as a table.
pub fn show(rows: &[ScaleRow], style: Style) -> String {
    let header = [
        "operation",
        "n",
        "median us",
        "p99",
        "p99.9",
        "p99.99",
        "longest",
    ];
    let mut table = style.table(&header, 1);
    for row in rows {
        let us = |us: f64| format!("{us:.1}");
        table.add_row([
            row.op.clone(),
            row.n.to_string(),
            us(row.p50_us),
            us(row.p99_us),
            us(row.p99_9_us),
            us(row.p99_99_us),
            us(row.max_us),
        ]);
    }
    let bytes = rows.first().map_or_else(String::new, |row| {
        let ScaleRow {
            servers,
            budget,
            bytes_counted,
            bytes_allocated,
            ..
        } = row;
        format!(
            "{servers} servers; bytes: may take {budget}, counts {bytes_counted}, allocated \
             {bytes_allocated}\n"
        )
    });
    format!("{bytes}{table}")
}
