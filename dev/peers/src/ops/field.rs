//! A store with its servers, each of which has one ticket when nothing is being measured.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki_types::ServerName;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rustls::client::Tls13ClientSessionValue;
use store_core::Timestamp;

use super::Op;
use crate::measure::{Meter, clock_cost, names};
use crate::tickets::Mint;
use crate::{Candidate, Peer, Room};

/// What one ticket counts for in bytes, as `backend-rustls` weighs it.
pub(super) const WEIGHT: usize = 4 * 1024;
pub(super) const NOW: Timestamp = Timestamp::EPOCH;
/// A day after that.
pub(super) const EXPIRES: Duration = Duration::from_secs(86_400);
/// Operations of a kind between two readings of the clock, where there are servers enough.
pub(super) const BATCH: usize = 256;
/// Tickets that one server is given in a batch if it is alone: with the one that it has, no store
/// drops any.
const ALONE: usize = 6;
/// Batches that make up one measurement if a server is alone.
const REPEATS: usize = BATCH / ALONE;
const GROUP: u16 = 29;

/// What all stores have in common: the servers and the order in which they are asked.
pub(super) struct Ground {
    servers: Vec<ServerName<'static>>,
    unknown: Vec<ServerName<'static>>,
    order: Vec<usize>,
    batch: usize,
    clock: Duration,
}

impl Ground {
    pub(super) fn new(servers: usize, rng: &mut StdRng) -> Self {
        let batch = BATCH.min(servers);
        // As many whole batches as there are, so that each server comes once a cycle.
        let mut order: Vec<_> = (0..servers).collect();
        order.shuffle(rng);
        order.truncate(servers / batch * batch);
        Self {
            servers: names("host", servers),
            unknown: names("unknown", BATCH),
            order,
            batch,
            clock: clock_cost(),
        }
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Servers to ask in a round, each of them once.
    pub(super) fn batch(&self, round: usize) -> &[usize] {
        let batches = self.order.len() / self.batch;
        let at = round % batches * self.batch;
        &self.order[at..at + self.batch]
    }
}

/// A store that holds them.
pub(super) struct Field {
    store: Arc<dyn Peer<Tls13ClientSessionValue>>,
    bag: Vec<Tls13ClientSessionValue>,
    // Whether it has given what was put, and nothing else.
    fit: bool,
}

impl Field {
    pub(super) fn new(store: &Candidate, ground: &Ground, mint: &Mint) -> Self {
        let servers = ground.servers.len();
        let room = Room {
            // Twice, so that nothing is dropped: some stores divide their room among shards.
            servers: servers.max(1_000) * 2,
            bytes: servers.max(1_000) * 4 * WEIGHT,
            ..Room::default()
        };
        let store = store.make(&room);
        for (server, ticket) in ground.servers.iter().zip(mint.draw(servers)) {
            store.put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
            store.set_hint(server, GROUP);
        }
        let mut bag = mint.draw(BATCH);
        bag.reserve(BATCH);
        let fit = true;
        Self { store, bag, fit }
    }

    /// Whether the store has given every ticket that was put, and none that was not.
    pub(super) fn is_fit(&self) -> bool {
        self.fit
    }

    /// Does a batch of an operation, and says what one took, in nanoseconds; nothing of a store that is
    /// not fit.
    pub(super) fn measure(&mut self, ground: &Ground, batch: &[usize], op: Op) -> Option<f64> {
        let mut took = Duration::ZERO;
        let repeats = match op {
            Op::Put | Op::Take if batch.len() == 1 => REPEATS,
            _ => 1,
        };
        let mut operations = 0;
        for _ in 0..repeats {
            if !self.fit {
                return None;
            }
            self.before(ground, batch, op);
            took += time(|| operations += self.work(ground, batch, op));
            self.after(ground, batch, op);
        }
        let clock = ground.clock * u32::try_from(repeats).unwrap_or(u32::MAX);
        let ns = took.saturating_sub(clock).as_secs_f64() * 1e9 / to_float(operations);
        self.fit.then_some(ns)
    }

    /// Does a batch of an operation, and says what one allocates; nothing of a store that is not fit.
    pub(super) fn count(
        &mut self,
        ground: &Ground,
        batch: &[usize],
        op: Op,
        meter: Meter,
    ) -> Option<f64> {
        if !self.fit {
            return None;
        }
        self.before(ground, batch, op);
        let mut operations = 0;
        let allocated = meter(&mut || operations = self.work(ground, batch, op));
        self.after(ground, batch, op);
        self.fit
            .then(|| to_float(allocated.count) / to_float(operations))
    }

    /// What has to be there before the operation.
    fn before(&mut self, ground: &Ground, batch: &[usize], op: Op) {
        if op == Op::Take {
            self.put(ground, batch);
        }
    }

    /// What has to go after it.
    fn after(&mut self, ground: &Ground, batch: &[usize], op: Op) {
        if op == Op::Put {
            self.take(ground, batch);
        }
    }

    /// A batch of an operation; how many they were.
    fn work(&mut self, ground: &Ground, batch: &[usize], op: Op) -> usize {
        match op {
            Op::Put => self.put(ground, batch),
            Op::Take => self.take(ground, batch),
            Op::PutTake => self.put_take(ground, batch),
            Op::Miss => self.miss(ground),
            Op::Hint => self.hint(ground, batch),
            Op::SetHint => self.set_hint(ground, batch),
            Op::PutAtCapacity => unreachable!("that is another store's"),
        }
        match op {
            Op::Put | Op::Take => puts(batch),
            _ => BATCH,
        }
    }

    fn put(&mut self, ground: &Ground, batch: &[usize]) {
        for _ in 0..puts(batch) / batch.len() {
            for &server in batch {
                // Those that were taken come back, unless the store has lost one.
                let Some(ticket) = self.bag.pop() else { return };
                self.store.put(
                    &ground.servers[server],
                    ticket,
                    NOW.after(EXPIRES),
                    WEIGHT,
                    NOW,
                );
            }
        }
    }

    fn take(&mut self, ground: &Ground, batch: &[usize]) {
        for _ in 0..puts(batch) / batch.len() {
            for &server in batch {
                match self.store.take(&ground.servers[server], NOW) {
                    Some(ticket) => self.bag.push(ticket),
                    None => self.fit = false,
                }
            }
        }
    }

    fn put_take(&mut self, ground: &Ground, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            let server = &ground.servers[server];
            let Some(ticket) = self.store.take(server, NOW) else {
                self.fit = false;
                return;
            };
            self.store
                .put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
        }
    }

    fn miss(&mut self, ground: &Ground) {
        for server in &ground.unknown {
            self.fit &= self.store.take(black_box(server), NOW).is_none();
        }
    }

    fn hint(&mut self, ground: &Ground, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            black_box(self.store.hint(&ground.servers[server]));
        }
    }

    fn set_hint(&mut self, ground: &Ground, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            self.store.set_hint(&ground.servers[server], GROUP);
        }
    }
}

/// Tickets that a batch puts.
fn puts(batch: &[usize]) -> usize {
    if batch.len() == 1 { ALONE } else { batch.len() }
}

pub(super) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
pub(super) fn to_float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or_default() as f64
}
