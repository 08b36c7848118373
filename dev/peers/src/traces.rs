//! Workload: hit rates. Traces of connections are replayed on each store, against simulated
//! servers.
//!
//! A [`Trace`] lists the connections: server, time, and how many begin together. It is generated
//! from a seed and is the same for every store. Time is simulated. The [`Servers`] decide which
//! connections are resumed; their [`Tally`] is the result.
//!
//! Every store gets the same byte budget; [`Store`] converts it to the limits that the store has.

mod generate;
mod replay;
mod servers;
mod store;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use pki_types::ServerName;
use store_core::Timestamp;

pub use self::replay::{Rate, replay};
pub use self::servers::{Profile, Servers, Tally, Ticket};
pub use self::store::Store;

/// Weight of a ticket in bytes: what rustls keeps of one with a chain of three certificates.
pub const TICKET_BYTES: usize = 2_800;
/// Servers of a trace, without the scan of a crawl.
pub const SERVERS: usize = 100_000;

/// Parameters of [`measure`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections of a trace. The first half warms the store up.
    pub connections: usize,
    /// Servers; see [`SERVERS`].
    pub servers: usize,
    /// Kinds of traces.
    pub kinds: Vec<Kind>,
    /// Budgets, as divisors of the bytes of two tickets for every server: 16 is a sixteenth.
    pub parts: Vec<usize>,
    /// Seed of the traces.
    pub seed: u64,
}

impl Plan {
    /// A plan that takes seconds.
    pub fn quick(seed: u64) -> Self {
        Self {
            connections: 200_000,
            kinds: vec![Kind::Zipf(0.9), Kind::Crawl, Kind::Mta],
            parts: vec![16],
            ..Self::full(seed)
        }
    }

    /// A plan that takes minutes.
    pub fn full(seed: u64) -> Self {
        Self {
            connections: 1_000_000,
            servers: SERVERS,
            kinds: Kind::ALL.to_vec(),
            parts: vec![64, 16, 4],
            seed,
        }
    }

    /// How often [`measure`] calls `progress`.
    pub fn steps(&self) -> usize {
        self.kinds.len() * self.parts.len() * Store::ALL.len()
    }

    /// Bytes of the budget with this divisor.
    pub fn budget(&self, part: usize) -> usize {
        self.servers * 2 * TICKET_BYTES / part
    }
}

/// Kinds of traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Servers drawn by Zipf's law with this exponent.
    Zipf(f64),
    /// A long scan of servers, each visited a few times within a short time, and a core of servers
    /// visited throughout.
    Crawl,
    /// A mail server: few destinations with several connections at a time, and a long tail.
    Mta,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Zipf(0.7),
        Self::Zipf(0.9),
        Self::Zipf(1.1),
        Self::Crawl,
        Self::Mta,
    ];

    /// The trace's name in the report.
    pub fn name(self) -> String {
        match self {
            Self::Zipf(exponent) => format!("zipf-{exponent}"),
            Self::Crawl => "crawl".to_owned(),
            Self::Mta => "mta".to_owned(),
        }
    }
}

/// Connections in chronological order.
#[derive(Debug)]
pub struct Trace {
    /// The kind of trace.
    pub kind: Kind,
    /// The servers' ticket behaviour, by server index.
    pub profiles: Vec<Profile>,
    /// The servers' names, by server index.
    pub names: Vec<ServerName<'static>>,
    /// The connections.
    pub arrivals: Vec<Arrival>,
    /// Number of arrivals at the beginning that are not counted.
    pub warm_up: usize,
}

/// Connections to one server that begin together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Time of the arrival.
    pub at: Timestamp,
    /// Index of the server.
    pub server: u32,
    /// Number of connections.
    pub connections: u8,
}

/// Replays every trace on every store with every budget. Uses all processors, as no time is
/// measured. Calls `progress` [`Plan::steps`] times with the name of the finished step.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<Rate> {
    let mut rates = Vec::new();
    for &kind in &plan.kinds {
        let trace = Trace::new(kind, plan);
        let budgets = plan.parts.iter().map(|part| plan.budget(*part));
        let jobs: Vec<_> = budgets
            .flat_map(|budget| Store::ALL.map(|store| (store, budget)))
            .collect();
        rates.extend(replay_all(&trace, &jobs, progress));
    }
    rates
}

/// Replays one trace; the rates are in the order of `jobs`.
fn replay_all(
    trace: &Trace,
    jobs: &[(Store, usize)],
    progress: &mut dyn FnMut(&str),
) -> impl Iterator<Item = Rate> {
    let mut rates: Vec<_> = jobs.iter().map(|_| None).collect();
    let next = AtomicUsize::new(0);
    let (done, all_done) = mpsc::channel();
    let worker = |done: mpsc::Sender<_>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(store, budget)) = jobs.get(index) else {
                return;
            };
            let rate = Rate::measure(trace, store, budget);
            if done.send((index, rate)).is_err() {
                return; // the caller is unwinding
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for _ in 0..threads.min(jobs.len()) {
            let done = done.clone();
            scope.spawn(|| worker(done));
        }
        drop(done);
        for (index, rate) in all_done {
            progress(&format!("{} {}", rate.trace, rate.store));
            rates[index] = Some(rate);
        }
    });
    rates.into_iter().flatten()
}

#[cfg(test)]
mod tests;
