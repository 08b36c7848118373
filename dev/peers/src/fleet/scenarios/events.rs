//! An outage of the tier, and a restart of all machines.

use std::time::Duration;

use super::table::percent;
use super::{Curve, Line, Plan, Results, Table};
use crate::fleet::{Failure, Measured, Outage, Restart, Scenario, simulate};

/// How long the tier is away, and how long the restart of all machines takes.
const LASTS: Duration = Duration::from_secs(60);
/// How long a machine is away.
const AWAY: Duration = Duration::from_secs(2);
/// Seconds of a step of the curves.
const STEP: usize = 5;
/// Seconds before an event, and after it.
const BEFORE: usize = 10;
const AFTER: usize = 60;

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    let begin = plan.warm_up + Duration::from_secs(BEFORE as u64);
    let scenario = Scenario {
        measured: Duration::from_secs((BEFORE + AFTER) as u64) + LASTS,
        ..plan.scenario(plan.machines)
    };
    let outage = |failure| Scenario {
        outage: Some(Outage {
            at: begin,
            lasts: LASTS,
            failure,
        }),
        ..scenario.clone()
    };
    let restart = |has_tier| Scenario {
        has_tier,
        restart: Some(Restart {
            at: begin,
            lasts: LASTS,
            away: AWAY,
        }),
        ..scenario.clone()
    };
    let cases = [
        ("nothing happens", scenario.clone()),
        ("Redis hangs for a minute", outage(Failure::Hang)),
        (
            "Redis is gone for a minute, and comes back empty",
            outage(Failure::Crash),
        ),
        (
            "all machines restart within a minute, sharing",
            restart(true),
        ),
        (
            "all machines restart within a minute, each alone",
            restart(false),
        ),
    ];
    let begin = seconds(begin);
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (name, scenario) in cases {
        progress(name);
        let measured = simulate(&scenario);
        rows.push(row(name, &measured, begin));
        let steps = (begin - BEFORE..measured.seconds.len()).step_by(STEP);
        let rate = |from| measured.between(from, from + STEP).rate() * 100.0;
        lines.push((name, steps.map(rate).collect::<Vec<_>>()));
    }
    results.tables.push(Table {
        title: format!(
            "Share of resumed connections around an event of a minute, {} machines",
            plan.machines
        ),
        header: vec![
            "event",
            "10 s before",
            "first 10 s",
            "the rest of the minute",
            "first 10 s after",
            "a minute after",
            "sessions lost",
        ],
        rows,
    });
    let note = format!(
        "{} machines, each connects once a second; the event is from 0 to 60 s",
        plan.machines
    );
    let curve = |name, title: &str, labels: &[(usize, &'static str)]| Curve {
        name,
        title: title.to_owned(),
        note: note.clone(),
        step: "seconds since the event began",
        steps: labelled_steps(lines[0].1.len()),
        lines: labels
            .iter()
            .map(|(at, label)| Line {
                label,
                percent: lines[*at].1.clone(),
            })
            .collect(),
    };
    let outages = [(0, "no outage"), (1, "hangs"), (2, "gone, then empty")];
    let restarts = [(3, "sharing"), (4, "each alone")];
    let curves = [
        curve(
            "scale-outage",
            "Resumed connections while Redis is away for a minute",
            &outages,
        ),
        curve(
            "scale-restart",
            "Resumed connections while all machines restart",
            &restarts,
        ),
    ];
    results.curves.extend(curves);
}

fn row(name: &str, measured: &Measured, begin: usize) -> Vec<String> {
    let end = begin + seconds(LASTS);
    let spans = [
        (begin - BEFORE, begin),
        (begin, begin + 10),
        (begin + 10, end),
        (end, end + 10),
        (end + AFTER - 10, end + AFTER),
    ];
    let mut row = vec![name.to_owned()];
    row.extend(spans.map(|(from, to)| percent(measured.between(from, to).rate())));
    row.push(measured.lost.to_string());
    row
}

/// Every fourth step has a label, the seconds since the event began.
fn labelled_steps(count: usize) -> Vec<String> {
    const EACH: usize = 4;
    let begin = BEFORE / STEP;
    let steps = (0..count).map(|step| match step.checked_sub(begin) {
        Some(since) if since % EACH == 0 => (since * STEP).to_string(),
        _ => String::new(),
    });
    steps.collect()
}

fn seconds(time: Duration) -> usize {
    usize::try_from(time.as_secs()).unwrap_or(usize::MAX)
}
