//! Where one Redis is not enough.

use std::time::Duration;

use super::table::{decimal, percent};
use super::{Curve, Line, Plan, Results, Table, with_and_without};
use crate::fleet::{SERVICE, Scenario};

/// Short, since there are many connections.
const WARM_UP: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(10);

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    let machines = plan.sizes.last().copied().unwrap_or(1);
    let (mut rows, mut lines) = (Vec::new(), [Vec::new(), Vec::new()]);
    for &rate in &plan.rates {
        progress(&format!(
            "{machines} machines, {rate} connections a second each"
        ));
        let scenario = Scenario {
            rate,
            warm_up: WARM_UP.min(plan.warm_up),
            measured: MEASURED,
            ..plan.scenario(machines)
        };
        let [with, without] = with_and_without(&scenario);
        let (all, alone) = (with.all(), without.all());
        #[expect(clippy::cast_precision_loss, reason = "at most some millions")]
        let busy = all.calls as f64 * SERVICE.as_secs_f64() / MEASURED.as_secs_f64();
        rows.push(vec![
            load(machines, rate),
            percent(alone.rate()),
            percent(all.rate()),
            decimal(all.calls_each()),
            percent(busy),
            format!("{:.1} ms", with.wait_ms(0.99)),
            with.lost.to_string(),
        ]);
        for (line, measured) in lines.iter_mut().zip([all, alone]) {
            line.push(measured.rate() * 100.0);
        }
    }
    results.tables.push(Table {
        title: format!(
            "{machines} machines and one Redis, {} s after an empty start",
            WARM_UP.min(plan.warm_up).as_secs()
        ),
        header: vec![
            "connections a second",
            "resumed, each alone",
            "resumed, sharing",
            "calls of the tier a connection",
            "Redis busy",
            "99 % wait at most",
            "sessions lost",
        ],
        rows,
    });
    let [sharing, alone] = lines;
    let steps = plan.rates.iter().map(|rate| load(machines, *rate));
    results.curves.push(Curve {
        name: "scale-bend",
        title: String::from("Resumed connections by load, with one Redis"),
        note: format!(
            "{machines} machines; the last of these loads are more than one Redis can do"
        ),
        step: "connections a second",
        steps: steps.collect(),
        lines: vec![
            Line {
                label: "sharing",
                percent: sharing,
            },
            Line {
                label: "each alone",
                percent: alone,
            },
        ],
    });
}

/// Connections a second of all machines.
#[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
fn load(machines: usize, rate: f64) -> String {
    format!("{:.0}", machines as f64 * rate)
}
