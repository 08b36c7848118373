//! The stores at one number of servers, created when they are first measured.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Op;
use super::full::FullStore;
use super::populated::{BATCH, PopulatedStore, Workload, to_float};
use crate::StoreFactory;
use crate::measure::Meter;
use crate::tickets::TicketSource;

/// Stores at one number of servers. A store is created and filled at its first measurement.
pub struct Fixture {
    source: TicketSource,
    workload: Workload,
    populated: HashMap<StoreFactory, PopulatedStore>,
    full_stores: HashMap<StoreFactory, FullStore>,
    round: usize,
    meter: Option<Meter>,
}

impl Fixture {
    /// A fixture with `servers` servers, whose order depends on `seed`.
    pub fn new(servers: usize, seed: u64) -> Self {
        Self {
            source: TicketSource::new(),
            workload: Workload::new(servers, &mut StdRng::seed_from_u64(seed)),
            populated: HashMap::new(),
            full_stores: HashMap::new(),
            round: 0,
            meter: None,
        }
    }

    /// Counts allocations with `meter`.
    pub(super) fn with_meter(self, meter: Option<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// The time of a number of operations, extrapolated from whole batches. `None` if the store
    /// does not support the operation, or lost or invented a ticket.
    pub fn time(&mut self, store: &StoreFactory, op: Op, operations: u64) -> Option<Duration> {
        let batches = operations.div_ceil(BATCH as u64);
        let mut ns = 0.0;
        for _ in 0..batches {
            ns += self.measure_ns(store, op)?;
            self.next_round();
        }
        let seconds_per_operation = ns / 1e9 / to_float(batches);
        Some(Duration::from_secs_f64(
            seconds_per_operation * to_float(operations),
        ))
    }

    /// Runs a batch; nanoseconds per operation.
    pub(super) fn measure_ns(&mut self, store: &StoreFactory, op: Op) -> Option<f64> {
        if op == Op::PutAtCapacity {
            let source = &self.source;
            return Some(
                Self::full_store(&mut self.full_stores, store, &self.workload, source)?
                    .measure_ns(source),
            );
        }
        let populated = self.populated.entry(store.clone()).or_insert_with(|| {
            PopulatedStore::new(store, &self.workload, &self.source, self.meter)
        });
        populated.measure_ns(&self.workload, self.workload.batch(self.round), op)
    }

    /// Runs a batch; allocations per operation. `None` without a meter.
    pub(super) fn count_allocations(&mut self, store: &StoreFactory, op: Op) -> Option<f64> {
        let meter = self.meter?;
        if op == Op::PutAtCapacity {
            let source = &self.source;
            return Some(
                Self::full_store(&mut self.full_stores, store, &self.workload, source)?
                    .count_allocations(source, meter),
            );
        }
        let batch = self.workload.batch(self.round);
        let populated = self.populated.get_mut(store)?;
        populated.count_allocations(&self.workload, batch, op, meter)
    }

    /// Bytes that the populated store allocated per server while it was filled. `None` without a
    /// meter.
    pub(super) fn bytes_per_server(&self, store: &StoreFactory) -> Option<f64> {
        self.populated.get(store)?.bytes_per_server()
    }

    /// Advances to the next batch of servers.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
    }

    /// The stores that lost or invented tickets.
    pub(super) fn faulty(&self) -> impl Iterator<Item = &StoreFactory> {
        let faulty = self
            .populated
            .iter()
            .filter(|(_, store)| !store.is_correct());
        faulty.map(|(store, _)| store)
    }

    /// Frees the stores that are not full.
    pub(super) fn drop_populated(&mut self) {
        self.populated.clear();
    }

    fn full_store<'f>(
        full_stores: &'f mut HashMap<StoreFactory, FullStore>,
        store: &StoreFactory,
        workload: &Workload,
        source: &TicketSource,
    ) -> Option<&'f mut FullStore> {
        // An unbounded store is never full.
        store.is_bounded().then(|| {
            full_stores
                .entry(store.clone())
                .or_insert_with(|| FullStore::new(store, workload.servers(), source))
        })
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture")
            .field("servers", &self.workload.servers())
            .finish_non_exhaustive()
    }
}
