//! The cost of a handshake to the client: full, resumed with the session in hand, resumed from our
//! store and from others; and whether it is resumed at all after connections that end uncleanly.

mod paired;
mod plan;
mod series;

use lab::certificate::{Authority, KeyKind};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use report::{HandshakeRow, Report};

pub use self::paired::{Paired, paired};
use self::plan::BLOCKS;
pub use self::plan::{Case, Plan};
use self::series::Series;
use super::options::Options;
use crate::harness::{Fixture, Store};
use crate::interrupt;
use crate::progress::Progress;

/// Rounds at the start of a block that do not count.
const WARM_UP: usize = 2;
/// Full handshakes are measured in one of this many rounds: they take long, and few suffice.
const FULL_EVERY: usize = 8;

/// Measures all cases and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let plan = if options.full {
        Plan::full(options.seed)
    } else {
        Plan::short(options.seed)
    };
    let mut plan = plan.with_custom_stores(&options.custom_stores);
    if let Some(rounds) = options.rounds {
        plan = plan.with_rounds(rounds);
    }
    progress.expect(plan.steps());
    report.handshakes = measure(&plan, &mut |what| progress.step(what));
    errors(&report.handshakes).collect()
}

/// Measures every case. `progress` is called [`Plan::steps`] times, with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<HandshakeRow> {
    let mut order = StdRng::seed_from_u64(plan.seed);
    let mut authorities: Vec<Authority> = Vec::new();
    let mut rows = Vec::new();
    for case in &plan.cases {
        let authority = authority(&mut authorities, case.scenario.key);
        let fixture = Fixture::new(case.scenario, authority);
        let what = case.scenario.to_string();
        rows.extend(measure_case(case, &fixture, &mut order, &mut || {
            progress(&what);
        }));
    }
    rows
}

/// The authority with keys of this kind. Each is made once, since RSA keys take long to make.
fn authority(made: &mut Vec<Authority>, key: KeyKind) -> &Authority {
    let known = made.iter().position(|authority| authority.kind() == key);
    let index = known.unwrap_or_else(|| {
        made.push(Authority::new(key));
        made.len() - 1
    });
    &made[index]
}

fn measure_case(
    case: &Case,
    fixture: &Fixture,
    order: &mut StdRng,
    progress: &mut dyn FnMut(),
) -> Vec<HandshakeRow> {
    let mut all_series: Vec<_> = case.stores.iter().cloned().map(Series::new).collect();
    let mut turns: Vec<_> = (0..all_series.len()).collect();
    let mut done = 0;
    for block in 1..=BLOCKS {
        let rounds = case.rounds * block / BLOCKS - done;
        done += rounds;
        if rounds > 0 {
            for series in &mut all_series {
                series.replace_client(fixture);
            }
        }
        let warm_up = WARM_UP.min(rounds);
        for round in 0..warm_up + rounds {
            let counted = round.checked_sub(warm_up);
            // A few handshakes of each store, in a new order each round: disturbances of the machine
            // hit all alike, and each store follows each other store equally often.
            turns.shuffle(order);
            interrupt::check();
            for turn in &turns {
                let series = &mut all_series[*turn];
                let is_due =
                    *series.store() != Store::None || counted.unwrap_or(1) % FULL_EVERY == 0;
                if is_due {
                    series.measure(counted.is_some());
                }
            }
        }
        progress();
    }

    let floor = all_series
        .iter()
        .position(|series| *series.store() == Store::InHand);
    let in_hand = floor.map(|floor| all_series[floor].rounds());
    all_series
        .into_iter()
        .enumerate()
        .map(|(index, series)| {
            let in_hand = in_hand.as_ref().filter(|_| floor != Some(index));
            series.into_row(case.scenario, in_hand)
        })
        .collect()
}

/// A line for each row that has an error.
pub fn errors(rows: &[HandshakeRow]) -> impl Iterator<Item = String> {
    rows.iter().filter_map(|row| {
        let error = row.error.as_ref()?;
        let HandshakeRow {
            provider,
            server,
            protocol,
            key,
            group,
            kind,
            store,
            ..
        } = row;
        let end = if row.is_unclean() { ", unclean end" } else { "" };
        Some(format!(
            "{provider} to {server}, {protocol}, {key}, {group}, {kind}{end}, store {store}: {error}"
        ))
    })
}
