//! Charts of processes that share sessions.

use super::{Figures, counts, distinct, rising};
use crate::chart::{Body, Chart, Line, Lines, Paint, Scale};
use crate::number::short;
use crate::{FleetRow, Report};

pub(super) fn figures(report: &Report) -> Figures {
    let rows = &report.fleet;
    let charts = vec![
        chart(
            rows,
            "Resumed connections",
            "% of all connections after the warm-up, as the server counts them",
            Scale::Percent,
            |row| Some(row.resumed_rate * 100.0),
        ),
        chart(
            rows,
            "Prefetch, p99",
            "\u{b5}s until a session from the tier is in memory",
            Scale::of([rows.iter().filter_map(|row| row.prefetch_p99_us)]),
            |row| row.prefetch_p99_us.filter(|us| *us > 0.0),
        ),
    ];
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("fleet ("));
    Figures {
        lead: "Processes that share sessions by Redis, each connecting to the same servers in random \
               order. They all run on this machine, with Redis and the server: with more of them than \
               processors, times show the scheduler\u{2019}s delays."
            .to_owned(),
        charts,
        notes: missing
            .map(|(what, why)| format!("Missing: {what}: {why}."))
            .collect(),
    }
}

/// A line for each tier, over the number of processes.
fn chart(
    rows: &[FleetRow],
    title: &str,
    note: &str,
    scale: Scale,
    value: impl Fn(&FleetRow) -> Option<f64>,
) -> Chart {
    let processes = rising(rows.iter().map(|row| row.processes));
    let tiers = distinct(rows.iter().map(|row| row.tier.as_str()));
    let lines = tiers.into_iter().map(|tier| {
        let at = |count: &usize| {
            let mut here = rows.iter().filter(|row| row.tier == tier);
            value(here.find(|row| row.processes == *count)?)
        };
        let values: Vec<_> = processes.iter().map(at).collect();
        Line {
            label: tier.to_owned(),
            paint: match tier {
                "redis" => Paint::Ours,
                _ => Paint::Lru,
            },
            text: values
                .iter()
                .rev()
                .find_map(|value| *value)
                .map_or_else(String::new, short),
            values,
        }
    });
    Chart {
        title: title.to_owned(),
        note: format!(
            "{note}; {}",
            counts(rows.iter().map(|row| row.connections as u64))
        ),
        body: Body::Lines(Lines {
            all: lines.collect(),
            steps: processes.iter().map(ToString::to_string).collect(),
            step: "processes".to_owned(),
            scale,
        }),
    }
}
