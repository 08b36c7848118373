//! Our store with very many servers: what an operation takes at worst, and whether the store knows
//! what it occupies.
//!
//! The store has room for about as many servers as the plan says, by bytes. Servers come that it
//! does not hold, so that it evicts, and some tickets expire all the time, so that it sweeps.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pki_types::ServerName;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store_core::{Limits, Stats, Timestamp};

use crate::measure::{Meter, names};
use crate::{Peer, TlsResume};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Servers that the store holds, at least about.
    pub servers: usize,
    /// Rounds of two puts, a take and a step of sweeping.
    pub rounds: usize,
    /// Decides which servers are asked.
    pub seed: u64,
    /// Counts what is allocated.
    pub meter: Meter,
}

impl Plan {
    /// A tenth of the servers.
    pub fn quick(seed: u64, meter: Meter) -> Self {
        Self {
            servers: 100_000,
            rounds: 100_000,
            seed,
            meter,
        }
    }

    /// A million servers; takes 2 GB of memory.
    pub fn full(seed: u64, meter: Meter) -> Self {
        Self {
            servers: 1_000_000,
            rounds: 1_000_000,
            seed,
            meter,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        2 * PARTS
    }
}

/// What [`measure`] found.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Bytes that the store may take.
    pub budget: usize,
    /// What the store counted, at the end: servers, sessions, bytes, evictions, expiries.
    pub stats: Stats,
    /// Bytes that were really allocated for it, at the end, without what the allocator adds.
    pub allocated: usize,
    /// What operations took.
    pub latencies: Vec<Latency>,
}

/// What an operation took, in microseconds, the reading of the clock included.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// The operation.
    pub op: Op,
    /// Calls that were measured.
    pub n: u64,
    /// Half of the calls took longer.
    pub p50_us: f64,
    /// One in a hundred took longer.
    pub p99_us: f64,
    /// One in a thousand took longer.
    pub p99_9_us: f64,
    /// One in ten thousand took longer.
    pub p99_99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// An operation on the large store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A ticket is stored.
    Put,
    /// A ticket is taken, if there is one.
    Take,
    /// A step of sweeping alone.
    Sweep,
}

impl Op {
    /// As the report has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Take => "take",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A session of the size of a ticket without certificates.
type Value = Box<[u8; WEIGHT]>;

const WEIGHT: usize = 300;
/// How long a tenth of the tickets lives; time passes at such a pace that they expire during the
/// measurement.
const SHORT: Duration = Duration::from_secs(1_000);
const LONG: Duration = Duration::from_secs(86_400);
/// Bytes that one server may fill. The store has as many shards as let one server's share leave room
/// for others, and what is done to a whole shard takes the longest: by the default of 512 KiB, shards
/// would have some 4,000 servers each.
const A_SERVER: usize = 16 * 1024;
/// Parts of the filling, and of the work, between two reports of progress.
const PARTS: usize = 10;
/// Servers by which the room of a server is found.
const SAMPLE: usize = 20_000;

/// Fills the store and works on it. `progress` is called [`Plan::steps`] times, with what is about
/// to be done.
///
/// # Panics
///
/// Panics if a latency is above what a histogram holds, which is hours.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Scale {
    // Servers have more tickets at the end than they are filled with.
    let budget = bytes_a_server() * plan.servers / 5 * 6;
    let servers = names("host", plan.servers / 2 * 3);
    let mut rng = StdRng::seed_from_u64(plan.seed);

    let mut store = None;
    let made = (plan.meter)(&mut || store = Some(store_of(budget, plan.servers * 2)));
    let store = store.expect("the meter runs the work");
    let mut allocated = made.bytes;
    for part in parts(servers.len()) {
        progress(&format!("filling {} servers", plan.servers));
        let filled = (plan.meter)(&mut || {
            for at in part.clone() {
                fill(&store, &servers[at], at);
            }
        });
        allocated += filled.bytes;
    }

    let mut work = Work::new(&store, &servers, plan.rounds);
    for part in parts(plan.rounds) {
        progress(&format!("working on {} servers", plan.servers));
        let changed = (plan.meter)(&mut || {
            for round in part.clone() {
                work.round(round, &mut rng);
            }
        });
        allocated += changed.bytes;
    }
    let latencies = work.into_latencies();
    Scale {
        budget,
        stats: store.stats(),
        allocated: usize::try_from(allocated).unwrap_or_default(),
        latencies,
    }
}

/// Cuts so many into [`PARTS`], which differ by one at most.
fn parts(all: usize) -> impl Iterator<Item = Range<usize>> {
    (0..PARTS).map(move |part| all * part / PARTS..all * (part + 1) / PARTS)
}

fn store_of(bytes: usize, servers: usize) -> TlsResume<Value> {
    let limits = Limits::default();
    TlsResume::with_limits(
        limits
            .with_servers(servers)
            .with_bytes(A_SERVER, A_SERVER, bytes),
    )
}

/// One ticket, or two.
fn fill(store: &TlsResume<Value>, server: &ServerName<'static>, at: usize) {
    for _ in 0..=at % 2 {
        put(store, server, at, Timestamp::EPOCH);
    }
}

fn put(store: &TlsResume<Value>, server: &ServerName<'static>, at: usize, now: Timestamp) {
    let lifetime = if at.is_multiple_of(10) { SHORT } else { LONG };
    let value = Box::new([7; WEIGHT]);
    store.put(server, value, now.after(lifetime), WEIGHT, now);
}

/// What a server takes, as the store counts it.
fn bytes_a_server() -> usize {
    let store = store_of(1 << 40, SAMPLE * 2);
    for (at, server) in names("host", SAMPLE).iter().enumerate() {
        fill(&store, server, at);
    }
    usize::try_from(store.stats().bytes).unwrap_or(usize::MAX) / SAMPLE
}

/// The measurement under way.
struct Work<'a> {
    store: &'a TlsResume<Value>,
    servers: &'a [ServerName<'static>],
    rounds: usize,
    put: Histogram<u64>,
    take: Histogram<u64>,
    sweep: Histogram<u64>,
}

impl<'a> Work<'a> {
    fn new(store: &'a TlsResume<Value>, servers: &'a [ServerName<'static>], rounds: usize) -> Self {
        // Up to an hour, in nanoseconds.
        let histogram =
            || Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds in order");
        Self {
            store,
            servers,
            rounds,
            put: histogram(),
            take: histogram(),
            sweep: histogram(),
        }
    }

    fn round(&mut self, round: usize, rng: &mut StdRng) {
        // Twice the short lifetime passes in all.
        let passed = SHORT.as_secs_f64() * 2.0 * fraction(round, self.rounds);
        let now = Timestamp::EPOCH.after(Duration::from_secs_f64(passed));
        for _ in 0..2 {
            let at = rng.random_range(0..self.servers.len());
            let server = &self.servers[at];
            time(&mut self.put, || put(self.store, server, at, now));
        }
        let server = &self.servers[rng.random_range(0..self.servers.len())];
        let mut taken = None;
        time(&mut self.take, || taken = self.store.take(server, now));
        drop(taken);
        time(&mut self.sweep, || self.store.sweep(now));
    }

    fn into_latencies(self) -> Vec<Latency> {
        [
            (Op::Put, self.put),
            (Op::Take, self.take),
            (Op::Sweep, self.sweep),
        ]
        .map(|(op, histogram)| {
            let quantile = |quantile| us(histogram.value_at_quantile(quantile));
            Latency {
                op,
                n: histogram.len(),
                p50_us: quantile(0.5),
                p99_us: quantile(0.99),
                p99_9_us: quantile(0.999),
                p99_99_us: quantile(0.9999),
                max_us: us(histogram.max()),
            }
        })
        .into()
    }
}

fn time(histogram: &mut Histogram<u64>, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    histogram
        .record(took)
        .expect("the bounds of the histogram are hours apart");
}

fn us(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^52")]
fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
