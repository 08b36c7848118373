//! All stores with one number of servers, and any operation on any of them.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Op;
use super::capacity::Capacity;
use super::field::{BATCH, Field, Ground};
use crate::Candidate;
use crate::measure::Meter;
use crate::tickets::Mint;

/// Where operations are measured: a store is made and filled when it is first asked for.
pub struct Stage {
    mint: Mint,
    ground: Ground,
    fields: HashMap<Candidate, Field>,
    full: HashMap<Candidate, Capacity>,
    round: usize,
}

impl Stage {
    /// So many servers; `seed` decides in which order they are asked.
    pub fn new(servers: usize, seed: u64) -> Self {
        Self {
            mint: Mint::new(),
            ground: Ground::new(servers, &mut StdRng::seed_from_u64(seed)),
            fields: HashMap::new(),
            full: HashMap::new(),
            round: 0,
        }
    }

    /// What so many operations take, measured in whole batches; `None` if the store has no such
    /// operation, or does not give what was put.
    pub fn time(&mut self, store: &Candidate, op: Op, operations: u64) -> Option<Duration> {
        let batches = operations.div_ceil(BATCH as u64);
        let mut ns = 0.0;
        for _ in 0..batches {
            ns += self.ns(store, op)?;
            self.next_round();
        }
        let times = Duration::from_nanos(operations).as_secs_f64();
        Some(Duration::from_secs_f64(
            ns / super::field::to_float(batches) * times,
        ))
    }

    /// What an operation takes in nanoseconds, on average over a batch.
    pub(super) fn ns(&mut self, store: &Candidate, op: Op) -> Option<f64> {
        if op == Op::PutAtCapacity {
            let mint = &self.mint;
            return Some(Self::full(&mut self.full, store, &self.ground, mint)?.measure(mint));
        }
        let field = self
            .fields
            .entry(store.clone())
            .or_insert_with(|| Field::new(store, &self.ground, &self.mint));
        field.measure(&self.ground, self.ground.batch(self.round), op)
    }

    /// What an operation allocates, on average over a batch.
    pub(super) fn allocations(&mut self, store: &Candidate, op: Op, meter: Meter) -> Option<f64> {
        if op == Op::PutAtCapacity {
            let mint = &self.mint;
            return Some(Self::full(&mut self.full, store, &self.ground, mint)?.count(mint, meter));
        }
        let batch = self.ground.batch(self.round);
        let field = self.fields.get_mut(store)?;
        field.count(&self.ground, batch, op, meter)
    }

    /// Other servers from now on.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
    }

    /// The stores that did not give what was put.
    pub(super) fn unfit(&self) -> impl Iterator<Item = &Candidate> {
        let unfit = self.fields.iter().filter(|(_, field)| !field.is_fit());
        unfit.map(|(store, _)| store)
    }

    /// Drops the stores that are not full.
    pub(super) fn leave_fields(&mut self) {
        self.fields.clear();
    }

    fn full<'f>(
        full: &'f mut HashMap<Candidate, Capacity>,
        store: &Candidate,
        ground: &Ground,
        mint: &Mint,
    ) -> Option<&'f mut Capacity> {
        // A store without a bound is never full.
        store.has_room().then(|| {
            full.entry(store.clone())
                .or_insert_with(|| Capacity::new(store, ground.servers(), mint))
        })
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("servers", &self.ground.servers())
            .finish_non_exhaustive()
    }
}
