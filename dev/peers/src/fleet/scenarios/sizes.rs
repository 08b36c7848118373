//! From a few machines to many.

use super::table::{decimal, percent};
use super::{Curve, Line, Plan, Results, Table, with_and_without};
use crate::fleet::SERVICE;

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    let (mut rows, mut lines) = (Vec::new(), [Vec::new(), Vec::new()]);
    for &machines in &plan.sizes {
        progress(&format!("{machines} machines"));
        let [with, without] = with_and_without(&plan.scenario(machines));
        let (all, alone) = (with.all(), without.all());
        let calls = all.calls_each();
        #[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
        let busy = calls * machines as f64 * SERVICE.as_secs_f64();
        rows.push(vec![
            machines.to_string(),
            percent(alone.rate()),
            percent(all.rate()),
            decimal(calls),
            percent(busy),
            format!("{:.1} ms", with.wait_ms(0.99)),
            with.used_twice.to_string(),
        ]);
        for (line, measured) in lines.iter_mut().zip([all, alone]) {
            line.push(measured.rate() * 100.0);
        }
    }
    results.tables.push(Table {
        title: format!(
            "Machines that connect once a second, to {} servers, after {} s",
            plan.servers,
            plan.warm_up.as_secs()
        ),
        header: vec![
            "machines",
            "resumed, each alone",
            "resumed, sharing",
            "calls of the tier a connection",
            "Redis busy",
            "99 % wait at most",
            "tickets used twice",
        ],
        rows,
    });
    let [sharing, alone] = lines;
    results.curves.push(Curve {
        name: "scale-machines",
        title: String::from("Resumed connections by the number of machines"),
        note: format!(
            "each machine connects once a second, to one of {} servers",
            plan.servers
        ),
        step: "machines",
        steps: plan.sizes.iter().map(ToString::to_string).collect(),
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
