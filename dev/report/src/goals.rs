//! The goals of tls-resume, compared with the numbers of a report.

mod sections;

use crate::Report;

/// A goal, and whether the report reaches it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The measured quantity.
    pub metric: String,
    /// The value to reach.
    pub target: String,
    /// The value in the report.
    pub measured: String,
    /// Whether the value reaches the target.
    pub reached: bool,
}

impl Goal {
    fn new(metric: impl Into<String>, target: &str, measured: String, reached: bool) -> Self {
        Self {
            metric: metric.into(),
            target: target.to_owned(),
            measured,
            reached,
        }
    }
}

/// The goals for which the report has numbers. Rows with an error, and ratios to zero, yield none.
pub fn evaluate(report: &Report) -> Vec<Goal> {
    let Report {
        handshakes,
        store_ops,
        contention,
        hit_rate,
        burst,
        memory,
        scale,
        fleet,
        ..
    } = report;
    [
        sections::handshakes(handshakes),
        sections::hints(handshakes),
        sections::store_ops(store_ops),
        sections::contention(contention),
        sections::memory(memory),
        sections::hit_rate(hit_rate),
        sections::burst(burst),
        sections::scale(scale),
        sections::fleet(fleet),
    ]
    .concat()
}
