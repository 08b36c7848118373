//! What a handshake costs the client: full, resumed with the session in hand, resumed from our
//! store, and from others.

mod paired;
mod plan;
mod track;

use lab::certificate::{Authority, KeyKind};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

pub use self::paired::{Paired, paired};
pub use self::plan::{Case, Plan};
use self::track::Track;
use crate::harness::{Stage, Store};
use crate::interrupt;
use crate::progress::Progress;
use crate::run::Run;
use report::{HandshakeRow, Report};

/// Times at which a case begins anew, with new clients: where their memory lies is chance, too.
const BLOCKS: usize = 10;
/// Rounds of a block that are not counted.
const WARM_UP: usize = 2;
/// One round of so many has full handshakes in it: they take long, and little rests on them.
const FULL_EVERY: usize = 8;

/// Measures all that was asked for, and puts it into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let plan = if run.quick {
        Plan::quick(run.seed)
    } else {
        Plan::full(run.seed)
    };
    let mut plan = plan.with_own(&run.own);
    if let Some(rounds) = run.rounds {
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
        let authority = authority(&mut authorities, case.corner.key);
        let stage = Stage::new(case.corner, authority);
        let what = case.corner.to_string();
        rows.extend(measure_case(case, &stage, &mut order, &mut || {
            progress(&what);
        }));
    }
    rows
}

/// One for each kind of key: making RSA keys takes a while.
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
    stage: &Stage,
    order: &mut StdRng,
    progress: &mut dyn FnMut(),
) -> Vec<HandshakeRow> {
    let mut tracks: Vec<_> = case.stores.iter().cloned().map(Track::new).collect();
    let mut turns: Vec<_> = (0..tracks.len()).collect();
    let mut done = 0;
    for block in 1..=BLOCKS {
        let rounds = case.rounds * block / BLOCKS - done;
        done += rounds;
        if rounds > 0 {
            for track in &mut tracks {
                track.start_anew(stage);
            }
        }
        let warm_up = WARM_UP.min(rounds);
        for round in 0..warm_up + rounds {
            let counted = round.checked_sub(warm_up);
            // A few handshakes of each, in an order of its own: what disturbs the machine disturbs
            // all alike, and each comes after each other as often.
            turns.shuffle(order);
            interrupt::check();
            for turn in &turns {
                let track = &mut tracks[*turn];
                let is_due =
                    *track.store() != Store::None || counted.unwrap_or(1) % FULL_EVERY == 0;
                if is_due {
                    track.measure(counted.is_some());
                }
            }
        }
        progress();
    }

    let floor = tracks
        .iter()
        .position(|track| *track.store() == Store::InHand);
    let in_hand = floor.map(|floor| tracks[floor].rounds().to_vec());
    tracks
        .into_iter()
        .enumerate()
        .map(|(index, track)| {
            let in_hand = in_hand.as_deref().filter(|_| floor != Some(index));
            track.into_row(case.corner, in_hand)
        })
        .collect()
}

/// What went wrong, a line for each row that is not what it claims to be.
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
        Some(format!(
            "{provider} to {server}, {protocol}, {key}, {group}, {kind}, store {store}: {error}"
        ))
    })
}
