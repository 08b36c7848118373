//! What one operation costs, one thread, real tickets.
//!
//! The stores are measured in turns, batch by batch (A B C A B C), so that what disturbs the
//! machine disturbs all alike, and a row is the median of a store's batches. Servers and tickets
//! are made before, tickets that were taken are put again, and time is an argument.

mod capacity;
mod field;
mod stage;

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use crate::Candidate;
use crate::measure::{Meter, median, names};

pub use self::stage::Stage;

/// Rounds between two reports of progress.
const ROUNDS_A_STEP: usize = 10;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is measured.
    pub stores: Vec<Candidate>,
    /// Numbers of servers, each of which has a store of its own.
    pub servers: Vec<usize>,
    /// Batches of each operation.
    pub rounds: usize,
    /// Decides which servers are asked, in which order.
    pub seed: u64,
    /// Counts allocations; without it they are not counted.
    pub meter: Option<Meter>,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(seed: u64, meter: Option<Meter>) -> Self {
        Self {
            stores: Candidate::known(),
            servers: vec![1, 1_000],
            rounds: 60,
            seed,
            meter,
        }
    }

    /// Ends within a minute, and takes 3 GB of memory.
    pub fn full(seed: u64, meter: Option<Meter>) -> Self {
        Self {
            stores: Candidate::known(),
            servers: vec![1, 1_000, 100_000],
            rounds: 300,
            seed,
            meter,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        // The first round warms up.
        self.servers.len() * 2 * (self.rounds / ROUNDS_A_STEP + 1)
    }
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// A ticket is stored, for a server that has some.
    Put,
    /// A ticket is taken, from a server that has more.
    Take,
    /// A server's only ticket is taken and put again: both together.
    PutTake,
    /// A ticket is asked for of a server that the store does not know.
    Miss,
    /// A ticket is stored for a server that is new to a full store; with one server, for that
    /// server, which has all the tickets it may have.
    PutAtCapacity,
    /// A hint is read.
    Hint,
    /// A hint is stored, for a server that has one.
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

    /// As the report has it.
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

/// What an operation costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The store.
    pub store: Candidate,
    /// The operation.
    pub op: Op,
    /// Servers that the store holds.
    pub servers: usize,
    /// Nanoseconds, median of the batches' means.
    pub ns: f64,
    /// Batches.
    pub batches: usize,
    /// Allocations, mean.
    pub allocations: Option<f64>,
}

/// What [`measure`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Ordered by servers, operation and store. hyper-openssl and stores that are not of this package
    /// have no capacity, and so no row for a put there.
    pub rows: Vec<Row>,
    /// A store that did not give what was put, with the number of servers that it then has no rows
    /// of.
    pub unfit: Vec<(Candidate, usize)>,
    /// Nanoseconds that a clone of a name takes, and its drop. rustls's cache must be given a name
    /// of its own at each put, which is counted as part of it: any caller has to make it.
    pub name_clone_ns: f64,
}

/// Measures every operation of every store. `progress` is called [`Plan::steps`] times, with what
/// is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let (mut rows, mut unfit) = (Vec::new(), Vec::new());
    for &servers in &plan.servers {
        let mut stage = Stage::new(servers, plan.seed);
        let mut samples = Samples::new(servers, plan);
        // Full stores come last, when the others are gone: memory is finite.
        let (full, other): (Vec<_>, Vec<_>) =
            Op::ALL.into_iter().partition(|op| *op == Op::PutAtCapacity);
        let what = format!("{servers} servers");
        samples.fill(&mut stage, &other, plan, &mut || progress(&what));
        unfit.extend(stage.unfit().map(|store| (store.clone(), servers)));
        stage.leave_fields();
        let what = format!("{servers} servers, at capacity");
        samples.fill(&mut stage, &full, plan, &mut || progress(&what));
        let fit = |row: &Row| !unfit.contains(&(row.store.clone(), servers));
        rows.extend(samples.into_rows().filter(fit));
    }
    Measured {
        rows,
        unfit,
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

/// What was measured with one number of servers.
struct Samples {
    servers: usize,
    cells: Vec<Cell>,
}

struct Cell {
    store: Candidate,
    op: Op,
    ns: Vec<f64>,
    allocations: Option<f64>,
}

impl Samples {
    fn new(servers: usize, plan: &Plan) -> Self {
        let cell = |op, store: &Candidate| Cell {
            store: store.clone(),
            op,
            ns: Vec::with_capacity(plan.rounds),
            allocations: None,
        };
        let cells = Op::ALL
            .into_iter()
            .flat_map(|op| plan.stores.iter().map(move |store| cell(op, store)))
            .collect();
        Self { servers, cells }
    }

    fn cell(&mut self, store: &Candidate, op: Op) -> &mut Cell {
        self.cells
            .iter_mut()
            .find(|cell| cell.store == *store && cell.op == op)
            .expect("there is a cell for everything")
    }

    /// Measures operations in turns; the first round only warms up.
    fn fill(&mut self, stage: &mut Stage, ops: &[Op], plan: &Plan, progress: &mut dyn FnMut()) {
        for round in 0..=plan.rounds {
            if round.is_multiple_of(ROUNDS_A_STEP) {
                progress();
            }
            for &op in ops {
                for store in &plan.stores {
                    let ns = stage.ns(store, op);
                    if let Some(ns) = ns.filter(|_| round > 0) {
                        self.cell(store, op).ns.push(ns);
                    }
                }
            }
            stage.next_round();
        }
        let Some(meter) = plan.meter else { return };
        for &op in ops {
            for store in &plan.stores {
                self.cell(store, op).allocations = stage.allocations(store, op, meter);
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
            })
    }
}
