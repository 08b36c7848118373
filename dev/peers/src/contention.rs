//! Workload: the throughput of threads that share one store.
//!
//! Each thread repeats a prepared sequence of operations and counts them locally. The stores are
//! measured in turns, over several rounds; a row is the median. The values have a ticket's size and
//! no heap part, so that the store is measured and not the allocator.

use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use pki_types::ServerName;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use store_core::Timestamp;

use crate::measure::{median, names};
use crate::{Capacity, Peer, StoreKind, simulated};

/// Parameters of [`measure`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How long the threads run in one round.
    pub slice: Duration,
    /// Rounds.
    pub rounds: usize,
    /// Seed of the sequences of operations.
    pub seed: u64,
}

impl Plan {
    /// A plan that takes seconds.
    pub fn quick(seed: u64) -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(15),
            rounds: 3,
            seed,
        }
    }

    /// A plan that takes less than a minute.
    pub fn full(seed: u64) -> Self {
        Self {
            slice: Duration::from_millis(60),
            rounds: 9,
            ..Self::quick(seed)
        }
    }

    /// How often [`measure`] calls `progress`.
    pub fn steps(&self) -> usize {
        Mix::ALL.len() * self.threads.len() * self.rounds
    }
}

/// The servers of the operations. Of four operations two are puts, one is a take, and one reads a
/// hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mix {
    /// 1,000 servers, equally likely.
    Tickets,
    /// One server.
    OneServer,
    /// 10,000 servers by Zipf's law with exponent 0.9.
    Zipf,
}

impl Mix {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tickets, Self::OneServer, Self::Zipf];

    /// The mix's name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::OneServer => "one-server",
            Self::Zipf => "zipf-0.9",
        }
    }

    fn servers(self) -> usize {
        match self {
            Self::Tickets => 1_000,
            Self::OneServer => 1,
            Self::Zipf => 10_000,
        }
    }

    /// One thread's sequence of operations.
    fn choices(self, rng: &mut StdRng) -> Vec<Choice> {
        let servers = self.servers();
        let zipf = Zipf::new(10_000.0, 0.9).expect("a size and an exponent above zero");
        let mut server = || match self {
            Self::Tickets | Self::OneServer => rng.random_range(0..servers),
            Self::Zipf => rank(zipf.sample(rng)) - 1,
        };
        let mut choices: Vec<_> = (0..CHOICES)
            .map(|at| Choice {
                server: server(),
                operation: Operation::ALL[at % Operation::ALL.len()],
            })
            .collect();
        // Without it, threads that start together would do the same operation at the same time.
        let at = rng.random_range(0..Operation::ALL.len());
        choices.rotate_left(at);
        choices
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The throughput of one store with a number of threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The store.
    pub store: StoreKind,
    /// The mix of operations.
    pub mix: Mix,
    /// Number of threads.
    pub threads: usize,
    /// Operations per second and thread: the mean over the threads, the median over the slices.
    pub ops_per_s_per_thread: f64,
    /// Number of time slices.
    pub slices: usize,
}

/// Length of a thread's sequence of operations, which it repeats.
const CHOICES: usize = 1 << 15;
/// Operations between two clock readings.
const STRIDE: usize = 256;
const NOW: Timestamp = Timestamp::EPOCH;
const LIFETIME: Duration = Duration::from_secs(86_400);
const GROUP: u16 = 29;

/// The size of a rustls ticket without its heap part.
type Value = [u64; 20];

#[derive(Clone, Copy)]
struct Choice {
    server: usize,
    operation: Operation,
}

#[derive(Clone, Copy)]
enum Operation {
    Put,
    Take,
    Hint,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Put, Self::Take, Self::Put, Self::Hint];
}

/// Measures every store with every mix. Calls `progress` [`Plan::steps`] times with the name of the
/// next step.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<Row> {
    let mut rows = Vec::new();
    for mix in Mix::ALL {
        let servers = names("host", mix.servers());
        let stores = StoreKind::ALL.map(|kind| (kind, fill(kind, &servers)));
        let mut rng = StdRng::seed_from_u64(plan.seed);
        for &threads in &plan.threads {
            let step = format!("{mix}, {threads} threads");
            let choices: Vec<_> = (0..threads).map(|_| mix.choices(&mut rng)).collect();
            let mut samples = StoreKind::ALL.map(|_| Vec::with_capacity(plan.rounds));
            for _ in 0..plan.rounds {
                progress(&step);
                for ((_, store), samples) in stores.iter().zip(&mut samples) {
                    samples.push(run(&**store, &servers, &choices, plan.slice));
                }
            }
            rows.extend(stores.iter().zip(samples).map(|((kind, _), samples)| Row {
                store: *kind,
                mix,
                threads,
                slices: samples.len(),
                ops_per_s_per_thread: median(samples),
            }));
        }
    }
    rows
}

/// Creates a store that holds all servers with 4 of at most 8 tickets each. 8 is rustls's limit, so
/// that every store holds the same.
fn fill(kind: StoreKind, servers: &[ServerName<'static>]) -> Arc<dyn Peer<Value>> {
    let capacity = Capacity {
        // Twice as many, so that no server is evicted: some stores divide their capacity by shard.
        servers: servers.len().max(2_048) * 2,
        tickets_per_server: 8,
        ..Capacity::default()
    };
    let store = simulated::<Value>(kind, &capacity);
    for server in servers {
        for _ in 0..4 {
            store.put(server, Value::default(), NOW.after(LIFETIME), WEIGHT, NOW);
        }
        store.set_hint(server, GROUP);
    }
    store
}

const WEIGHT: usize = size_of::<Value>();

/// Runs the threads for `slice`; the mean of their operations per second.
fn run(
    store: &dyn Peer<Value>,
    servers: &[ServerName<'static>],
    choices: &[Vec<Choice>],
    slice: Duration,
) -> f64 {
    let barrier = Barrier::new(choices.len());
    let rates: Vec<f64> = thread::scope(|scope| {
        let task = |choices| {
            let barrier = &barrier;
            move || {
                barrier.wait();
                run_thread(store, servers, choices, slice)
            }
        };
        let threads: Vec<_> = choices
            .iter()
            .map(|choices| scope.spawn(task(choices)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, f64>| thread.join();
        threads
            .into_iter()
            .map(|thread| join(thread).expect("no store panics"))
            .collect()
    });
    let threads = u32::try_from(rates.len()).unwrap_or(u32::MAX);
    rates.iter().sum::<f64>() / f64::from(threads)
}

fn run_thread(
    store: &dyn Peer<Value>,
    servers: &[ServerName<'static>],
    choices: &[Choice],
    slice: Duration,
) -> f64 {
    let start = Instant::now();
    let mut strides = 0_u32;
    for stride in choices.chunks_exact(STRIDE).cycle() {
        for choice in stride {
            let server = &servers[choice.server];
            match choice.operation {
                Operation::Put => {
                    let value = black_box(Value::default());
                    store.put(server, value, NOW.after(LIFETIME), WEIGHT, NOW);
                }
                Operation::Take => {
                    black_box(store.take(server, NOW));
                }
                Operation::Hint => {
                    black_box(store.hint(server));
                }
            }
        }
        strides += 1;
        let elapsed = start.elapsed();
        if elapsed >= slice {
            let strides = f64::from(strides);
            let per_stride = f64::from(u32::try_from(STRIDE).unwrap_or(u32::MAX));
            return strides * per_stride / elapsed.as_secs_f64();
        }
    }
    unreachable!("the sequence repeats")
}

/// A rank drawn from a Zipf distribution, from 1 to 10,000.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number between 1 and 10,000"
)]
fn rank(drawn: f64) -> usize {
    drawn as usize
}
