//! What threads get done that share one store.
//!
//! Each thread goes through choices that were made before, counts on its own and stores its count
//! once. The stores are measured in turns, over several rounds; a row is the median. The values
//! are plain memory of a ticket's size, without a heap: it is the store that is measured, not the
//! allocator.

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
use crate::{Name, Peer, Room, simulated};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How long the threads work in one round.
    pub slice: Duration,
    /// Rounds.
    pub rounds: usize,
    /// Decides what the threads do.
    pub seed: u64,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(seed: u64) -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(15),
            rounds: 3,
            seed,
        }
    }

    /// Ends within a minute.
    pub fn full(seed: u64) -> Self {
        Self {
            slice: Duration::from_millis(60),
            rounds: 9,
            ..Self::quick(seed)
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        Mix::ALL.len() * self.threads.len() * self.rounds
    }
}

/// What the threads do: of four operations two are puts, one is a take, and one reads a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mix {
    /// 1,000 servers, all alike.
    Tickets,
    /// One server.
    OneServer,
    /// 10,000 servers by Zipf's law with exponent 0.9.
    Zipf,
}

impl Mix {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tickets, Self::OneServer, Self::Zipf];

    /// As the report has it.
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
        // Else threads that began together would put, take and read together.
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

/// Threads that share one store.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The store.
    pub store: Name,
    /// What the threads do.
    pub mix: Mix,
    /// How many they are.
    pub threads: usize,
    /// Operations that each of them does in a second, on average; the median of the slices.
    pub ops_per_s_per_thread: f64,
    /// Slices of time in which they worked.
    pub slices: usize,
}

/// Choices of one thread, over and over again.
const CHOICES: usize = 1 << 15;
/// Operations between two looks at the clock.
const STRIDE: usize = 256;
const NOW: Timestamp = Timestamp::EPOCH;
const LIFETIME: Duration = Duration::from_secs(86_400);
const GROUP: u16 = 29;

/// As large as a ticket of rustls without what it has on the heap.
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

/// Measures every store with every mix. `progress` is called [`Plan::steps`] times, with what is
/// about to be measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<Row> {
    let mut rows = Vec::new();
    for mix in Mix::ALL {
        let servers = names("host", mix.servers());
        let stores = Name::ALL.map(|name| (name, fill(name, &servers)));
        let mut rng = StdRng::seed_from_u64(plan.seed);
        for &threads in &plan.threads {
            let what = format!("{mix}, {threads} threads");
            let choices: Vec<_> = (0..threads).map(|_| mix.choices(&mut rng)).collect();
            let mut samples = Name::ALL.map(|_| Vec::with_capacity(plan.rounds));
            for _ in 0..plan.rounds {
                progress(&what);
                for ((_, store), samples) in stores.iter().zip(&mut samples) {
                    samples.push(run(&**store, &servers, &choices, plan.slice));
                }
            }
            rows.extend(stores.iter().zip(samples).map(|((name, _), samples)| Row {
                store: *name,
                mix,
                threads,
                slices: samples.len(),
                ops_per_s_per_thread: median(samples),
            }));
        }
    }
    rows
}

/// A store that has all the servers, each with half of the tickets that it may have: as many as
/// rustls keeps, so that every store holds the same.
fn fill(name: Name, servers: &[ServerName<'static>]) -> Arc<dyn Peer<Value>> {
    let room = Room {
        // Twice, so that no server is dropped: some stores divide their room among shards.
        servers: servers.len().max(2_048) * 2,
        tickets_per_server: 8,
        ..Room::default()
    };
    let store = simulated::<Value>(name, &room);
    for server in servers {
        for _ in 0..4 {
            store.put(server, Value::default(), NOW.after(LIFETIME), WEIGHT, NOW);
        }
        store.set_hint(server, GROUP);
    }
    store
}

const WEIGHT: usize = size_of::<Value>();

/// Operations a second of a thread, on average.
fn run(
    store: &dyn Peer<Value>,
    servers: &[ServerName<'static>],
    choices: &[Vec<Choice>],
    slice: Duration,
) -> f64 {
    let barrier = Barrier::new(choices.len());
    let rates: Vec<f64> = thread::scope(|scope| {
        let work = |choices| {
            let barrier = &barrier;
            move || {
                barrier.wait();
                work(store, servers, choices, slice)
            }
        };
        let threads: Vec<_> = choices
            .iter()
            .map(|choices| scope.spawn(work(choices)))
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

fn work(
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
    unreachable!("choices come again and again")
}

/// A rank that was drawn: a whole number from 1 on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number between 1 and 10,000"
)]
fn rank(drawn: f64) -> usize {
    drawn as usize
}
