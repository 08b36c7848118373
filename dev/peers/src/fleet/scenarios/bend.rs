//! Where one Redis is not enough.

use std::time::Duration;

use super::sweep::{Sweep, Texts};
use super::{Plan, Results, with_and_without};
use crate::fleet::{SERVICE, Scenario};

/// Short, since there are many connections.
const WARM_UP: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(10);

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    let machines = plan.sizes.last().copied().unwrap_or(1);
    let warm_up = WARM_UP.min(plan.warm_up);
    let mut sweep = Sweep::default();
    for &rate in &plan.rates {
        progress(&format!(
            "{machines} machines, {rate} connections a second each"
        ));
        let measured = with_and_without(&Scenario {
            rate,
            warm_up,
            measured: MEASURED,
            ..plan.scenario(machines)
        });
        let [with, _] = &measured;
        #[expect(clippy::cast_precision_loss, reason = "at most some millions")]
        let busy = with.all().calls as f64 * SERVICE.as_secs_f64() / MEASURED.as_secs_f64();
        sweep.add(load(machines, rate), &measured, busy, with.lost);
    }
    let texts = Texts {
        table: format!(
            "{machines} machines and one Redis, {} s after an empty start",
            warm_up.as_secs()
        ),
        step: "connections a second",
        last: "sessions lost",
        name: "scale-bend",
        title: "Resumed connections by load, with one Redis",
        note: format!(
            "{machines} machines; the last of these loads are more than one Redis can do"
        ),
    };
    sweep.finish(texts, results);
}

/// Connections a second of all machines.
#[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
fn load(machines: usize, rate: f64) -> String {
    format!("{:.0}", machines as f64 * rate)
}
