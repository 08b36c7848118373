//! From a few machines to many.

use super::sweep::{Sweep, Texts};
use super::{Plan, Results, with_and_without};
use crate::fleet::SERVICE;

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    let mut sweep = Sweep::default();
    for &machines in &plan.sizes {
        progress(&format!("{machines} machines"));
        let measured = with_and_without(&plan.scenario(machines));
        let [with, _] = &measured;
        #[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
        let busy = with.all().calls_each() * machines as f64 * SERVICE.as_secs_f64();
        sweep.add(machines.to_string(), &measured, busy, with.used_twice);
    }
    let texts = Texts {
        table: format!(
            "Machines that connect once a second, to {} servers, after {} s",
            plan.servers,
            plan.warm_up.as_secs()
        ),
        step: "machines",
        last: "tickets used twice",
        name: "scale-machines",
        title: "Resumed connections by the number of machines",
        note: format!(
            "each machine connects once a second, to one of {} servers",
            plan.servers
        ),
    };
    sweep.finish(texts, results);
}
