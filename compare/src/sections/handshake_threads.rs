//! Resumed handshakes on several threads that share one client and its store.
//!
//! Client and server of a handshake run on the same thread, and the threads share the server, too.
//! What a thread gets done is given twice: handshakes a second as they are, and handshakes in a
//! second of the client's own time. In the first, the server's own locks count as well.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};

use crate::harness::{Corner, HandshakeError, Lane, Own, Stack, Stage, Store};
use crate::interrupt;
use report::ContentionRow;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How long they work each time.
    pub slice: Duration,
    /// How often; of what came out, the median counts.
    pub rounds: usize,
    /// Stores beside those of the harness.
    pub own: Vec<Own>,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick() -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(20),
            rounds: 1,
            own: Vec::new(),
        }
    }

    /// Ends within half a minute.
    pub fn full() -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(100),
            rounds: 5,
            own: Vec::new(),
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        Stack::MAIN.len() * Protocol::ALL.len() * self.rounds
    }
}

/// Measures all. `progress` is called [`Plan::steps`] times, with what is being measured. The error
/// is that of a handshake which was not resumed, and of what it was part of.
pub fn measure(
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<ContentionRow>, (Corner, HandshakeError)> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut rows = Vec::new();
    for client in Stack::MAIN {
        for protocol in Protocol::ALL {
            let corner = Corner::new(client, protocol);
            let stage = Stage::new(corner, &authority);
            let measured = measure_corner(plan, &stage, &mut || progress(&corner.to_string()));
            rows.extend(measured.map_err(|error| (corner, error))?);
        }
    }
    Ok(rows)
}

/// The stores that threads share. A session in hand cannot be shared: each thread has its own.
fn stores(library: Library, own: &[Own]) -> impl Iterator<Item = Store> {
    let peer = match library {
        Library::Rustls => Store::RustlsMemory,
        Library::OpenSsl => Store::HyperOpenssl,
    };
    let own = own.iter().filter(move |own| own.library() == library);
    [Store::InHand, Store::TlsResume, peer]
        .into_iter()
        .chain(own.cloned().map(Store::Own))
}

fn measure_corner(
    plan: &Plan,
    stage: &Stage,
    progress: &mut dyn FnMut(),
) -> Result<Vec<ContentionRow>, HandshakeError> {
    let library = stage.corner().client.library();
    let mut crews = Vec::new();
    for store in stores(library, &plan.own) {
        for &threads in &plan.threads {
            crews.push(Crew::new(stage, &store, threads)?);
        }
    }
    for _ in 0..plan.rounds {
        for crew in &mut crews {
            interrupt::check();
            crew.work(plan.slice)?;
        }
        progress();
    }
    let protocol = stage.corner().protocol;
    let rows = crews.into_iter().flat_map(|crew| {
        let row = |mix: &str, rates: Vec<f64>| ContentionRow {
            store: format!("{}, {library}", crew.store),
            mix: format!("resumed handshakes, {protocol}{mix}"),
            threads: crew.threads,
            n: Some(rates.len() as u64),
            ops_per_s_per_thread: median(rates),
        };
        [
            row("", crew.by_wall),
            row(", client's time", crew.by_client),
        ]
    });
    Ok(rows.collect())
}

/// Threads that connect with one store, and what each of them got done.
struct Crew {
    store: Store,
    threads: usize,
    lanes: Vec<Lane>,
    by_wall: Vec<f64>,
    by_client: Vec<f64>,
}

impl Crew {
    fn new(stage: &Stage, store: &Store, threads: usize) -> Result<Self, HandshakeError> {
        let lanes = if *store == Store::InHand {
            let own = (0..threads).map(|_| stage.lane(store.clone()));
            own.collect::<Result<_, _>>()?
        } else {
            let shared = stage.fresh_lane(store.clone())?;
            // A ticket for each thread; from then on, each puts one for each that it takes.
            shared.burst(threads)?;
            vec![shared]
        };
        Ok(Self {
            store: store.clone(),
            threads,
            lanes,
            by_wall: Vec::new(),
            by_client: Vec::new(),
        })
    }

    fn work(&mut self, slice: Duration) -> Result<(), HandshakeError> {
        let start = Barrier::new(self.threads);
        let start = &start;
        let lanes = &self.lanes;
        let done: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let lane = &lanes[thread % lanes.len()];
                    scope.spawn(move || {
                        start.wait();
                        Done::by(lane, slice)
                    })
                })
                .collect();
            let done = workers.into_iter().map(ScopedJoinHandle::join);
            // A panic of a thread is one of this program.
            done.map(|done| done.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        self.by_wall
            .push(mean(done.iter().map(|done| done.rate(done.wall))));
        self.by_client
            .push(mean(done.iter().map(|done| done.rate(done.client))));
        Ok(())
    }
}

/// What one thread got done.
struct Done {
    handshakes: u32,
    wall: Duration,
    client: Duration,
}

impl Done {
    fn by(lane: &Lane, slice: Duration) -> Result<Self, HandshakeError> {
        let (mut handshakes, mut client) = (0, Duration::ZERO);
        let start = Instant::now();
        loop {
            client += lane.measure()?.client;
            handshakes += 1;
            let wall = start.elapsed();
            if wall >= slice {
                return Ok(Self {
                    handshakes,
                    wall,
                    client,
                });
            }
        }
    }

    fn rate(&self, time: Duration) -> f64 {
        f64::from(self.handshakes) / time.as_secs_f64()
    }
}

#[allow(clippy::cast_precision_loss)] // a handful
fn mean(rates: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = rates.len() as f64;
    rates.sum::<f64>() / count
}

/// To the whole handshake: more digits would be noise.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates
        .get(rates.len() / 2)
        .copied()
        .unwrap_or_default()
        .round()
}
