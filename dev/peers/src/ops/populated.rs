//! A store in which each server has one ticket between measurements.

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
use crate::tickets::TicketSource;
use crate::{Capacity, Peer, StoreFactory};

/// Weight of a ticket in bytes, as `backend-rustls` estimates it.
pub(super) const WEIGHT: usize = 4 * 1024;
pub(super) const NOW: Timestamp = Timestamp::EPOCH;
/// A day.
pub(super) const EXPIRES: Duration = Duration::from_secs(86_400);
/// Operations between two clock readings, if there are as many servers.
pub(super) const BATCH: usize = 256;
/// Tickets in a batch for a single server. Together with the one that it has, they are fewer than
/// any store's limit.
const SINGLE_SERVER_BATCH: usize = 6;
/// Batches per measurement of a single server.
const REPEATS: usize = BATCH / SINGLE_SERVER_BATCH;
const GROUP: u16 = 29;

/// The servers that every store is measured with, and their order.
pub(super) struct Workload {
    servers: Vec<ServerName<'static>>,
    unknown: Vec<ServerName<'static>>,
    order: Vec<usize>,
    batch: usize,
    clock: Duration,
}

impl Workload {
    pub(super) fn new(servers: usize, rng: &mut StdRng) -> Self {
        let batch = BATCH.min(servers);
        // Whole batches only, so that each server comes once per cycle.
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

    /// Number of servers.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// The servers of a round, by index; each occurs once.
    pub(super) fn batch(&self, round: usize) -> &[usize] {
        let batches = self.order.len() / self.batch;
        let at = round % batches * self.batch;
        &self.order[at..at + self.batch]
    }
}

/// A store with one ticket for each server of a [`Workload`].
pub(super) struct PopulatedStore {
    store: Arc<dyn Peer<Tls13ClientSessionValue>>,
    spare_tickets: Vec<Tls13ClientSessionValue>,
    // Whether every take returned what was put.
    correct: bool,
    bytes_per_server: Option<f64>,
}

impl PopulatedStore {
    /// A store with a ticket for each server. Its bytes are counted if there is a meter.
    pub(super) fn new(
        factory: &StoreFactory,
        workload: &Workload,
        source: &TicketSource,
        meter: Option<Meter>,
    ) -> Self {
        let servers = workload.servers.len();
        let capacity = Capacity {
            // Twice as many, so that nothing is evicted: some stores divide their capacity by
            // shard.
            servers: servers.max(1_000) * 2,
            bytes: servers.max(1_000) * 4 * WEIGHT,
            ..Capacity::default()
        };
        let mut tickets = source.take(servers);
        let mut store = None;
        let mut fill = || {
            let store = store.insert(factory.create(&capacity));
            for (server, ticket) in workload.servers.iter().zip(tickets.drain(..)) {
                store.put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
                store.set_hint(server, GROUP);
            }
        };
        let allocated = if let Some(meter) = meter {
            Some(meter(&mut fill))
        } else {
            fill();
            None
        };
        let bytes_per_server =
            allocated.map(|allocated| to_float(allocated.bytes) / to_float(servers));
        let mut spare_tickets = source.take(BATCH);
        spare_tickets.reserve(BATCH);
        Self {
            store: store.expect("the closure ran"),
            spare_tickets,
            correct: true,
            bytes_per_server,
        }
    }

    /// Bytes allocated for the store and its content, without what tickets point to, per server.
    pub(super) fn bytes_per_server(&self) -> Option<f64> {
        self.bytes_per_server
    }

    /// Whether the store returned every ticket that was put, and no other.
    pub(super) fn is_correct(&self) -> bool {
        self.correct
    }

    /// Runs a batch of operations; nanoseconds per operation. `None` if the store is not correct.
    pub(super) fn measure_ns(
        &mut self,
        workload: &Workload,
        batch: &[usize],
        op: Op,
    ) -> Option<f64> {
        let mut took = Duration::ZERO;
        let repeats = match op {
            Op::Put | Op::Take if batch.len() == 1 => REPEATS,
            _ => 1,
        };
        let mut operations = 0;
        for _ in 0..repeats {
            if !self.correct {
                return None;
            }
            self.set_up(workload, batch, op);
            took += time(|| operations += self.run(workload, batch, op));
            self.tear_down(workload, batch, op);
        }
        let clock = workload.clock * u32::try_from(repeats).unwrap_or(u32::MAX);
        let ns = took.saturating_sub(clock).as_secs_f64() * 1e9 / to_float(operations);
        self.correct.then_some(ns)
    }

    /// Runs a batch of operations; allocations per operation. `None` if the store is not correct.
    pub(super) fn count_allocations(
        &mut self,
        workload: &Workload,
        batch: &[usize],
        op: Op,
        meter: Meter,
    ) -> Option<f64> {
        if !self.correct {
            return None;
        }
        self.set_up(workload, batch, op);
        let mut operations = 0;
        let allocated = meter(&mut || operations = self.run(workload, batch, op));
        self.tear_down(workload, batch, op);
        self.correct
            .then(|| to_float(allocated.count) / to_float(operations))
    }

    /// Puts the tickets that a take will remove.
    fn set_up(&mut self, workload: &Workload, batch: &[usize], op: Op) {
        if op == Op::Take {
            self.put(workload, batch);
        }
    }

    /// Takes the tickets that a put has added.
    fn tear_down(&mut self, workload: &Workload, batch: &[usize], op: Op) {
        if op == Op::Put {
            self.take(workload, batch);
        }
    }

    /// Runs a batch; the number of operations.
    fn run(&mut self, workload: &Workload, batch: &[usize], op: Op) -> usize {
        match op {
            Op::Put => self.put(workload, batch),
            Op::Take => self.take(workload, batch),
            Op::PutTake => self.put_take(workload, batch),
            Op::Miss => self.miss(workload),
            Op::Hint => self.hint(workload, batch),
            Op::SetHint => self.set_hint(workload, batch),
            Op::PutAtCapacity => unreachable!("measured on a full store"),
        }
        match op {
            Op::Put | Op::Take => tickets_per_batch(batch),
            _ => BATCH,
        }
    }

    fn put(&mut self, workload: &Workload, batch: &[usize]) {
        for _ in 0..tickets_per_batch(batch) / batch.len() {
            for &server in batch {
                // Empty only if the store has lost a ticket.
                let Some(ticket) = self.spare_tickets.pop() else {
                    return;
                };
                self.store.put(
                    &workload.servers[server],
                    ticket,
                    NOW.after(EXPIRES),
                    WEIGHT,
                    NOW,
                );
            }
        }
    }

    fn take(&mut self, workload: &Workload, batch: &[usize]) {
        for _ in 0..tickets_per_batch(batch) / batch.len() {
            for &server in batch {
                match self.store.take(&workload.servers[server], NOW) {
                    Some(ticket) => self.spare_tickets.push(ticket),
                    None => self.correct = false,
                }
            }
        }
    }

    fn put_take(&mut self, workload: &Workload, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            let server = &workload.servers[server];
            let Some(ticket) = self.store.take(server, NOW) else {
                self.correct = false;
                return;
            };
            self.store
                .put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
        }
    }

    fn miss(&mut self, workload: &Workload) {
        for server in &workload.unknown {
            self.correct &= self.store.take(black_box(server), NOW).is_none();
        }
    }

    fn hint(&mut self, workload: &Workload, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            black_box(self.store.hint(&workload.servers[server]));
        }
    }

    fn set_hint(&mut self, workload: &Workload, batch: &[usize]) {
        for &server in batch.iter().cycle().take(BATCH) {
            self.store.set_hint(&workload.servers[server], GROUP);
        }
    }
}

/// Number of tickets that a batch puts.
fn tickets_per_batch(batch: &[usize]) -> usize {
    if batch.len() == 1 {
        SINGLE_SERVER_BATCH
    } else {
        batch.len()
    }
}

pub(super) fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
pub(super) fn to_float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or_default() as f64
}
