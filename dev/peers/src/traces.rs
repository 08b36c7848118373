//! How often a session is there when it is needed: traces of connections, replayed on each store
//! against servers that keep the rules.
//!
//! A [`Trace`] says which server is connected to, when, and how many connections begin together;
//! it is made once from a seed and is the same for every store. Time is simulated. The [`Servers`]
//! decide what is resumed, and nothing but their tally is the result.
//!
//! Every store may take the same bytes; [`Store`] says what each makes of them.

mod make;
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

/// Bytes that a ticket weighs: what rustls keeps of one with a chain of three certificates.
pub const TICKET_BYTES: usize = 2_800;
/// Servers that a trace is about; the long scan of a crawl comes on top.
pub const SERVERS: usize = 100_000;

/// How much is replayed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections of a trace, half of which warm the store up.
    pub connections: usize,
    /// Servers; see [`SERVERS`].
    pub servers: usize,
    /// The traces.
    pub kinds: Vec<Kind>,
    /// Budgets, as parts of what two tickets for every server take: 16 is a sixteenth.
    pub parts: Vec<usize>,
    /// Decides all that is drawn.
    pub seed: u64,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(seed: u64) -> Self {
        Self {
            connections: 200_000,
            kinds: vec![Kind::Zipf(0.9), Kind::Crawl, Kind::Mta],
            parts: vec![16],
            ..Self::full(seed)
        }
    }

    /// Ends within minutes.
    pub fn full(seed: u64) -> Self {
        Self {
            connections: 1_000_000,
            servers: SERVERS,
            kinds: Kind::ALL.to_vec(),
            parts: vec![64, 16, 4],
            seed,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        self.kinds.len() * self.parts.len() * Store::ALL.len()
    }

    /// The bytes of a budget.
    pub fn budget(&self, part: usize) -> usize {
        self.servers * 2 * TICKET_BYTES / part
    }
}

/// What a trace is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Servers by Zipf's law with this exponent.
    Zipf(f64),
    /// A long scan of servers that are visited once or a few times within a short time, and a
    /// core of servers that are visited throughout.
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

    /// As the report has it.
    pub fn name(self) -> String {
        match self {
            Self::Zipf(exponent) => format!("zipf-{exponent}"),
            Self::Crawl => "crawl".to_owned(),
            Self::Mta => "mta".to_owned(),
        }
    }
}

/// Connections in the order of time.
#[derive(Debug)]
pub struct Trace {
    /// What it is like.
    pub kind: Kind,
    /// The servers, by index.
    pub profiles: Vec<Profile>,
    /// Their names.
    pub names: Vec<ServerName<'static>>,
    /// When which of them is connected to.
    pub arrivals: Vec<Arrival>,
    /// Arrivals at the beginning that fill the store and are not counted.
    pub warm_up: usize,
}

/// Connections to one server that begin together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// The server's index.
    pub server: u32,
    /// How many connections.
    pub together: u8,
}

/// Replays every trace on every store, with every budget, on all processors: no time is measured.
/// `progress` is called [`Plan::steps`] times, with what was replayed.
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

/// The rates of one trace, in the order of the jobs.
fn replay_all(
    trace: &Trace,
    jobs: &[(Store, usize)],
    progress: &mut dyn FnMut(&str),
) -> impl Iterator<Item = Rate> {
    let mut rates: Vec<_> = jobs.iter().map(|_| None).collect();
    let next = AtomicUsize::new(0);
    let (done, all_done) = mpsc::channel();
    let work = |done: mpsc::Sender<_>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(store, budget)) = jobs.get(index) else {
                return;
            };
            let rate = Rate::of(trace, store, budget);
            if done.send((index, rate)).is_err() {
                return; // the caller is being unwound
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for _ in 0..threads.min(jobs.len()) {
            let done = done.clone();
            scope.spawn(|| work(done));
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
