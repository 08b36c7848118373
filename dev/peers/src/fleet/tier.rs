//! The simulated Redis.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use store_core::{Timestamp, Usage};
use store_tiers::{Sealed, ServerId, Taken, Tier, TierError};

use super::scenario::Failure;
use super::{ROUND_TRIP, SERVICE};

/// Most single-use records of a server: the Redis tier's default.
const RECORDS: usize = 64;
/// How long a call waits for an answer: the Redis tier's default.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// A Redis that all machines share. Its calls take effect when they are made; the simulation lets the
/// time pass that [`begin_call`](Self::begin_call) returns.
#[derive(Clone)]
pub(super) struct SimulatedTier(Arc<Mutex<State>>);

struct State {
    servers: HashMap<ServerId, Records>,
    failure: Option<Failure>,
    /// Until when the tier is busy with the calls that it has received.
    busy_until: Duration,
    /// Whether answers come too late.
    is_late: bool,
    calls: u64,
    rng: Xoshiro256PlusPlus,
}

/// The records of a server, the single-use ones by their expiry.
#[derive(Default)]
struct Records {
    single_use: Vec<Sealed>,
    reusable: Option<Sealed>,
}

impl SimulatedTier {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            servers: HashMap::new(),
            failure: None,
            busy_until: Duration::ZERO,
            is_late: false,
            calls: 0,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
        })))
    }

    /// How long a call takes that begins at `now`: no longer than a client waits for its answer. Those
    /// that begin after it wait for it.
    pub(super) fn begin_call(&self, now: Duration) -> Duration {
        let mut state = self.lock();
        let jitter = state.rng.random_range(0.0..1.0);
        let round_trip = ROUND_TRIP + ROUND_TRIP.mul_f64(jitter);
        let answered = match state.failure {
            None => {
                state.busy_until = state.busy_until.max(now) + SERVICE;
                round_trip + state.busy_until.saturating_sub(now)
            }
            Some(Failure::Crash) => round_trip,
            Some(Failure::Hang) => ANSWER_TIMEOUT,
        };
        answered.min(ANSWER_TIMEOUT)
    }

    /// A call that began was not made: its task had nothing to do.
    pub(super) fn made_none(&self) {
        let mut state = self.lock();
        state.busy_until = state.busy_until.saturating_sub(SERVICE);
    }

    /// The answers of the calls that follow come in time. Returns how many were made so far.
    pub(super) fn begin_event(&self) -> u64 {
        let mut state = self.lock();
        state.is_late = false;
        state.calls
    }

    /// The calls that follow took so long. The answer to one that took [`ANSWER_TIMEOUT`] comes too
    /// late: the client takes it for failed, and Redis has done it.
    pub(super) fn set_took(&self, took: Duration) {
        self.lock().is_late = took >= ANSWER_TIMEOUT;
    }

    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        state.failure = Some(failure);
        if failure == Failure::Crash {
            state.servers.clear();
        }
    }

    pub(super) fn work_again(&self) {
        self.lock().failure = None;
    }

    /// Calls so far, also those that failed.
    pub(super) fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, call: impl FnOnce(&mut State) -> T) -> Result<T, TierError> {
        let mut state = self.lock();
        state.calls += 1;
        match state.failure {
            None => {
                let answer = call(&mut state);
                if state.is_late {
                    return Err(TierError::MaybeApplied("no answer in time".into()));
                }
                Ok(answer)
            }
            Some(Failure::Crash) => Err(TierError::NotApplied("refused".into())),
            // Nothing arrived; the client cannot know.
            Some(Failure::Hang) => Err(TierError::MaybeApplied("no answer".into())),
        }
    }
}

impl Tier for SimulatedTier {
    fn put(&mut self, records: &[Sealed], _: Timestamp) -> Result<(), TierError> {
        self.call(|state| {
            for record in records.iter().cloned() {
                let server = state.servers.entry(record.server).or_default();
                if record.usage == Usage::Reusable {
                    server.reusable = Some(record);
                    continue;
                }
                let place = server
                    .single_use
                    .partition_point(|other| other.expires <= record.expires);
                server.single_use.insert(place, record);
                if server.single_use.len() > RECORDS {
                    server.single_use.remove(0);
                }
            }
        })
    }

    fn take(&mut self, server: &ServerId, most: usize, _: Timestamp) -> Result<Taken, TierError> {
        self.call(|state| {
            let Some(records) = state.servers.get_mut(server) else {
                return Taken::default();
            };
            let left = records.single_use.len().saturating_sub(most);
            let taken = records.single_use.split_off(left).into_iter().rev();
            Taken {
                single_use: taken.map(|record| record.bytes).collect(),
                reusable: records.reusable.as_ref().map(|record| record.bytes.clone()),
            }
        })
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        self.call(|state| drop(state.servers.remove(server)))
    }

    fn clear(&mut self) -> Result<(), TierError> {
        self.call(|state| state.servers.clear())
    }
}
