//! Workload: the time of one operation with rustls's tickets, on one thread.
//!
//! The stores are measured in turns, batch by batch (A B C A B C), so that disturbances affect all
//! alike; a row is the median of a store's batches. Servers and tickets are created beforehand,
//! taken tickets are put again, and the time is an argument.

mod fixture;
mod full;
mod populated;

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use crate::StoreFactory;
use crate::measure::{Meter, median, names};

pub use self::fixture::Fixture;

/// Rounds per call of `progress`.
const ROUNDS_PER_STEP: usize = 10;

/// Parameters of [`measure`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// The stores to measure.
    pub stores: Vec<StoreFactory>,
    /// Numbers of servers; each gets new stores.
    pub servers: Vec<usize>,
    /// Batches per operation.
    pub rounds: usize,
    /// Seed of the order of servers.
    pub seed: u64,
    /// Counts allocations, if given.
    pub meter: Option<Meter>,
}

impl Plan {
    /// A plan that takes seconds.
    pub fn quick(seed: u64, meter: Option<Meter>) -> Self {
        Self {
            stores: StoreFactory::built_in(),
            servers: vec![1, 1_000],
            rounds: 60,
            seed,
            meter,
        }
    }

    /// A plan that takes less than a minute, and 3 GB of memory.
    pub fn full(seed: u64, meter: Option<Meter>) -> Self {
        Self {
            stores: StoreFactory::built_in(),
            servers: vec![1, 1_000, 100_000],
            rounds: 300,
            seed,
            meter,
        }
    }

    /// How often [`measure`] calls `progress`.
    pub fn steps(&self) -> usize {
        // The first round warms up.
        self.servers.len() * 2 * (self.rounds / ROUNDS_PER_STEP + 1)
    }
}

/// An operation on a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Puts a ticket for a server that has some.
    Put,
    /// Takes a ticket of a server that has more.
    Take,
    /// Takes a server's only ticket and puts it again; the time of both.
    PutTake,
    /// Asks for a ticket of an unknown server.
    Miss,
    /// Puts a ticket for a server that was never put before into a full store. With one server: for that server, which
    /// has as many tickets as allowed.
    PutAtCapacity,
    /// Reads a hint.
    Hint,
    /// Overwrites a hint.
    SetHint,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Put,
        Self::Take,
        Self::PutTake,
        Self::Miss,
        Self::PutAtCapacity,
        Self::Hint,
        Self::SetHint,
    ];

    /// The operation's name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Take => "take",
            Self::PutTake => "put+take",
            Self::Miss => "miss",
            Self::PutAtCapacity => "put_at_capacity",
            Self::Hint => "hint",
            Self::SetHint => "set_hint",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The cost of an operation on one store.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The store.
    pub store: StoreFactory,
    /// The operation.
    pub op: Op,
    /// Servers that the store holds.
    pub servers: usize,
    /// Nanoseconds, median of the batches' means.
    pub ns: f64,
    /// Measured batches.
    pub batches: usize,
    /// Allocations per operation, mean of a batch.
    pub allocations: Option<f64>,
    /// For [`Op::Put`]: bytes allocated for the store and its content, without what tickets point
    /// to, divided by the servers. Each has one ticket. The store has room for twice as many
    /// servers, at least 2,000, which some stores allocate at once.
    pub bytes_per_server: Option<f64>,
}

/// The result of [`measure`].
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Ordered by servers, operation and store. Unbounded stores (hyper-openssl, and those from
    /// outside this package) have no row for [`Op::PutAtCapacity`].
    pub rows: Vec<Row>,
    /// Stores that lost or invented tickets, each with the number of servers at which it has no
    /// rows.
    pub faulty: Vec<(StoreFactory, usize)>,
    /// Nanoseconds to clone and drop a server name. A put into rustls's cache takes an owned name,
    /// so that its time includes the clone that any caller has to make.
    pub name_clone_ns: f64,
}

/// Measures every operation of every store. Calls `progress` [`Plan::steps`] times with the name of
/// the step.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let (mut rows, mut faulty) = (Vec::new(), Vec::new());
    for &servers in &plan.servers {
        let mut fixture = Fixture::new(servers, plan.seed).with_meter(plan.meter);
        let mut samples = Samples::new(servers, plan);
        // Full stores are measured last, after the others are freed, to save memory.
        let (full, other): (Vec<_>, Vec<_>) =
            Op::ALL.into_iter().partition(|op| *op == Op::PutAtCapacity);
        let step = format!("{servers} servers");
        samples.measure(&mut fixture, &other, plan, &mut || progress(&step));
        faulty.extend(fixture.faulty().map(|store| (store.clone(), servers)));
        fixture.drop_populated();
        let step = format!("{servers} servers, at capacity");
        samples.measure(&mut fixture, &full, plan, &mut || progress(&step));
        let is_correct = |row: &Row| !faulty.contains(&(row.store.clone(), servers));
        rows.extend(samples.into_rows().filter(is_correct));
    }
    Measured {
        rows,
        faulty,
        name_clone_ns: name_clone_ns(plan.rounds),
    }
}

fn name_clone_ns(rounds: usize) -> f64 {
    let names = names("host", 1_000);
    let batch = || {
        let start = Instant::now();
        for name in &names {
            black_box(name.clone());
        }
        start.elapsed().as_secs_f64() * 1e9 / 1_000.0
    };
    median((0..rounds).map(|_| batch()).collect())
}

/// Measurements at one number of servers.
struct Samples {
    servers: usize,
    cells: Vec<Cell>,
}

struct Cell {
    store: StoreFactory,
    op: Op,
    ns: Vec<f64>,
    allocations: Option<f64>,
    bytes_per_server: Option<f64>,
}

impl Samples {
    fn new(servers: usize, plan: &Plan) -> Self {
        let cell = |op, store: &StoreFactory| Cell {
            store: store.clone(),
            op,
            ns: Vec::with_capacity(plan.rounds),
            allocations: None,
            bytes_per_server: None,
        };
        let cells = Op::ALL
            .into_iter()
            .flat_map(|op| plan.stores.iter().map(move |store| cell(op, store)))
            .collect();
        Self { servers, cells }
    }

    fn cell(&mut self, store: &StoreFactory, op: Op) -> &mut Cell {
        self.cells
            .iter_mut()
            .find(|cell| cell.store == *store && cell.op == op)
            .expect("there is a cell for every store and operation")
    }

    /// Measures the operations in turns. The first round is a warm-up.
    fn measure(
        &mut self,
        fixture: &mut Fixture,
        ops: &[Op],
        plan: &Plan,
        progress: &mut dyn FnMut(),
    ) {
        for round in 0..=plan.rounds {
            if round.is_multiple_of(ROUNDS_PER_STEP) {
                progress();
            }
            for &op in ops {
                for store in &plan.stores {
                    let ns = fixture.measure_ns(store, op);
                    if let Some(ns) = ns.filter(|_| round > 0) {
                        self.cell(store, op).ns.push(ns);
                    }
                }
            }
            fixture.next_round();
        }
        for &op in ops {
            for store in &plan.stores {
                let cell = self.cell(store, op);
                cell.allocations = fixture.count_allocations(store, op);
                if op == Op::Put {
                    cell.bytes_per_server = fixture.bytes_per_server(store);
                }
            }
        }
    }

    fn into_rows(self) -> impl Iterator<Item = Row> {
        let servers = self.servers;
        self.cells
            .into_iter()
            .filter(|cell| !cell.ns.is_empty())
            .map(move |cell| Row {
                store: cell.store,
                op: cell.op,
                servers,
                batches: cell.ns.len(),
                ns: median(cell.ns),
                allocations: cell.allocations,
                bytes_per_server: cell.bytes_per_server,
            })
    }
}
