//! Workload: our store with very many servers. Measures the tail latency of its operations, and
//! whether its byte count matches what was allocated.
//!
//! A call's latency includes what the machine does meanwhile: interrupts, other processes. A piece of
//! arithmetic that touches no memory, timed between the operations, shows how much that is.
//!
//! The byte limit holds about the planned number of servers. Half as many again are put, so that
//! the store evicts, and some tickets expire during the measurement, so that it sweeps.

use std::fmt;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pki_types::ServerName;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store_core::{Limits, Stats, Timestamp};

use crate::measure::{Meter, names};
use crate::{Peer, TlsResume};

/// Parameters of [`measure`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// Servers that the store holds, about.
    pub servers: usize,
    /// Rounds of two puts, one take, one sweep step and two pieces of arithmetic.
    pub rounds: usize,
    /// Seed of the choice of servers.
    pub seed: u64,
    /// Counts allocations.
    pub meter: Meter,
}

impl Plan {
    /// 100,000 servers.
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

    /// How often [`measure`] calls `progress`.
    pub fn steps(&self) -> usize {
        2 * PARTS
    }
}

/// The result of [`measure`].
#[derive(Clone, Debug)]
pub struct Scale {
    /// The store's byte limit.
    pub budget: usize,
    /// The store's counters at the end.
    pub stats: Stats,
    /// Bytes allocated for the store at the end, without the allocator's overhead.
    pub allocated: usize,
    /// Latency of each operation.
    pub latencies: Vec<Latency>,
}

/// Latency of an operation in microseconds, the clock readings included.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// The operation.
    pub op: Op,
    /// Measured calls.
    pub n: u64,
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p99_9_us: f64,
    /// 99.99th percentile.
    pub p99_99_us: f64,
    /// Maximum.
    pub max_us: f64,
}

/// An operation on the large store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Puts a ticket.
    Put,
    /// Takes a ticket, if there is one.
    Take,
    /// One sweep step.
    Sweep,
    /// No operation: arithmetic that takes about as long as a put.
    Empty,
}

impl Op {
    /// The operation's name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Take => "take",
            Self::Sweep => "sweep",
            Self::Empty => "empty loop",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A session with the size of a ticket without certificates. The store boxes it.
type Value = [u8; WEIGHT];

const WEIGHT: usize = 300;
/// Lifetime of a tenth of the tickets. Simulated time passes it twice, so that they expire during
/// the measurement.
const SHORT: Duration = Duration::from_secs(1_000);
const LONG: Duration = Duration::from_secs(86_400);
/// Byte limit of a server. It decides the size of a shard, and the slowest calls are those that
/// work on a whole shard: with the default of 512 KiB, a shard would have some 4,000 servers.
const SERVER_BYTES: usize = 16 * 1024;
/// Steps of the arithmetic, of about 6 cycles each.
const ARITHMETIC_STEPS: u64 = 800;
/// Calls of `progress` while filling, and while measuring.
const PARTS: usize = 10;
/// Servers that are put to find the bytes of one.
const SAMPLE: usize = 20_000;

/// Fills the store and measures operations on it. Calls `progress` [`Plan::steps`] times with the
/// name of the next step.
///
/// # Panics
///
/// Panics if a latency exceeds the histogram's bound of an hour.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Scale {
    // Servers have more tickets at the end than after filling.
    let budget = bytes_per_server() * plan.servers / 5 * 6;
    let servers = names("host", plan.servers / 2 * 3);
    let mut rng = StdRng::seed_from_u64(plan.seed);

    let mut store = None;
    let made = (plan.meter)(&mut || store = Some(new_store(budget, plan.servers * 2)));
    let store = store.expect("the meter runs the closure");
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

    let mut measurement = Measurement::new(&store, &servers, plan.rounds);
    for part in parts(plan.rounds) {
        progress(&format!("measuring {} servers", plan.servers));
        let changed = (plan.meter)(&mut || {
            for round in part.clone() {
                measurement.round(round, &mut rng);
            }
        });
        allocated += changed.bytes;
    }
    let latencies = measurement.into_latencies();
    Scale {
        budget,
        stats: store.stats(),
        allocated: usize::try_from(allocated).unwrap_or_default(),
        latencies,
    }
}

/// Divides `0..all` into [`PARTS`] ranges whose lengths differ by at most one.
fn parts(all: usize) -> impl Iterator<Item = Range<usize>> {
    (0..PARTS).map(move |part| all * part / PARTS..all * (part + 1) / PARTS)
}

fn new_store(bytes: usize, servers: usize) -> TlsResume<Value> {
    let limits = Limits::default();
    TlsResume::with_limits(limits.with_servers(servers).with_bytes(
        SERVER_BYTES,
        SERVER_BYTES,
        bytes,
    ))
}

/// Puts one ticket, or two for every other server.
fn fill(store: &TlsResume<Value>, server: &ServerName<'static>, at: usize) {
    for _ in 0..=at % 2 {
        put(store, server, at, Timestamp::EPOCH);
    }
}

fn put(store: &TlsResume<Value>, server: &ServerName<'static>, at: usize, now: Timestamp) {
    let lifetime = if at.is_multiple_of(10) { SHORT } else { LONG };
    store.put(server, [7; WEIGHT], now.after(lifetime), WEIGHT, now);
}

/// The bytes of a server by the store's own count.
fn bytes_per_server() -> usize {
    let store = new_store(1 << 40, SAMPLE * 2);
    for (at, server) in names("host", SAMPLE).iter().enumerate() {
        fill(&store, server, at);
    }
    usize::try_from(store.stats().bytes).unwrap_or(usize::MAX) / SAMPLE
}

/// A measurement in progress.
struct Measurement<'a> {
    store: &'a TlsResume<Value>,
    servers: &'a [ServerName<'static>],
    rounds: usize,
    put: Histogram<u64>,
    take: Histogram<u64>,
    sweep: Histogram<u64>,
    empty: Histogram<u64>,
}

impl<'a> Measurement<'a> {
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
            empty: histogram(),
        }
    }

    fn round(&mut self, round: usize, rng: &mut StdRng) {
        // Twice the short lifetime passes over all rounds.
        let passed = SHORT.as_secs_f64() * 2.0 * fraction(round, self.rounds);
        let now = Timestamp::EPOCH.after(Duration::from_secs_f64(passed));
        for _ in 0..2 {
            let at = rng.random_range(0..self.servers.len());
            let server = &self.servers[at];
            time(&mut self.put, || put(self.store, server, at, now));
            time(&mut self.empty, || {
                black_box(arithmetic(black_box(1)));
            });
        }
        let server = &self.servers[rng.random_range(0..self.servers.len())];
        time(&mut self.take, || {
            black_box(self.store.take(server, now));
        });
        time(&mut self.sweep, || self.store.sweep(now));
    }

    fn into_latencies(self) -> Vec<Latency> {
        [
            (Op::Put, self.put),
            (Op::Take, self.take),
            (Op::Sweep, self.sweep),
            (Op::Empty, self.empty),
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

/// Steps of an xorshift generator, each of which needs the one before. They touch no memory.
fn arithmetic(start: u64) -> u64 {
    (0..ARITHMETIC_STEPS).fold(start, |value, _| {
        let value = value ^ (value << 13);
        let value = value ^ (value >> 7);
        value ^ (value << 17)
    })
}

fn time(histogram: &mut Histogram<u64>, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    histogram.record(took).expect("less than an hour");
}

fn us(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^52")]
fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
