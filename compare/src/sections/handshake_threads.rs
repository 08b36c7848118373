//! Resumed handshakes on several threads that share one client and its store.
//!
//! Client and server of a handshake run on the same thread, and the threads share the server. Each
//! thread's rate is given twice: handshakes per second of wall time, which includes the server's own
//! locks, and handshakes per second of the client's time.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use report::ContentionRow;

use crate::harness::{Client, CustomStore, Fixture, HandshakeError, Scenario, Stack, Store};
use crate::interrupt;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How long the threads work in one round.
    pub slice: Duration,
    /// Rounds; the median counts.
    pub rounds: usize,
    /// Stores beside those of the harness.
    pub custom_stores: Vec<CustomStore>,
}

impl Plan {
    /// Takes a few seconds.
    pub fn short() -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(20),
            rounds: 1,
            custom_stores: Vec::new(),
        }
    }

    /// Takes half a minute.
    pub fn full() -> Self {
        Self {
            threads: vec![1, 2, 4, 8],
            slice: Duration::from_millis(100),
            rounds: 5,
            custom_stores: Vec::new(),
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        Stack::MAIN.len() * Protocol::ALL.len() * self.rounds
    }
}

/// Measures all stores. `progress` is called [`Plan::steps`] times, with what is being measured.
///
/// # Errors
///
/// A handshake was not resumed; with the scenario that it was part of.
pub fn measure(
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<ContentionRow>, (Scenario, HandshakeError)> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut rows = Vec::new();
    for client in Stack::MAIN {
        for protocol in Protocol::ALL {
            let scenario = Scenario::new(client, protocol);
            let fixture = Fixture::new(scenario, &authority);
            let measured =
                measure_scenario(plan, &fixture, &mut || progress(&scenario.to_string()));
            rows.extend(measured.map_err(|error| (scenario, error))?);
        }
    }
    Ok(rows)
}

/// The stores that threads share. A session in hand cannot be shared: each thread has its own.
fn stores(library: Library, custom: &[CustomStore]) -> impl Iterator<Item = Store> {
    let peer = match library {
        Library::Rustls => Store::RustlsMemory,
        Library::OpenSsl => Store::HyperOpenssl,
    };
    let custom = custom.iter();
    let custom = custom.filter(move |store| store.library() == library);
    [Store::InHand, Store::TlsResume, peer]
        .into_iter()
        .chain(custom.cloned().map(Store::Custom))
}

fn measure_scenario(
    plan: &Plan,
    fixture: &Fixture,
    progress: &mut dyn FnMut(),
) -> Result<Vec<ContentionRow>, HandshakeError> {
    let library = fixture.scenario().client.library();
    let mut groups = Vec::new();
    for store in stores(library, &plan.custom_stores) {
        for &threads in &plan.threads {
            groups.push(ThreadGroup::new(fixture, &store, threads)?);
        }
    }
    for _ in 0..plan.rounds {
        for group in &mut groups {
            interrupt::check();
            group.run(plan.slice)?;
        }
        progress();
    }
    let protocol = fixture.scenario().protocol;
    let rows = groups.into_iter().flat_map(|group| {
        let row = |mix: &str, rates: Vec<f64>| ContentionRow {
            store: format!("{}, {library}", group.store),
            mix: format!("resumed handshakes, {protocol}{mix}"),
            threads: group.threads,
            n: Some(rates.len() as u64),
            ops_per_s_per_thread: median(rates),
        };
        [
            row("", group.wall_rates),
            row(", client's time", group.client_rates),
        ]
    });
    Ok(rows.collect())
}

/// Threads that connect with one store, and their mean rate in each round.
struct ThreadGroup {
    store: Store,
    threads: usize,
    clients: Vec<Client>,
    wall_rates: Vec<f64>,
    client_rates: Vec<f64>,
}

impl ThreadGroup {
    fn new(fixture: &Fixture, store: &Store, threads: usize) -> Result<Self, HandshakeError> {
        let clients = if *store == Store::InHand {
            let clients = (0..threads).map(|_| fixture.client(store.clone()));
            clients.collect::<Result<_, _>>()?
        } else {
            let shared = fixture.new_client(store.clone())?;
            // Stores a ticket for each thread; later, each handshake puts one for the one it takes.
            shared.burst(threads)?;
            vec![shared]
        };
        Ok(Self {
            store: store.clone(),
            threads,
            clients,
            wall_rates: Vec::new(),
            client_rates: Vec::new(),
        })
    }

    fn run(&mut self, slice: Duration) -> Result<(), HandshakeError> {
        let start = Barrier::new(self.threads);
        let start = &start;
        let clients = &self.clients;
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let client = &clients[thread % clients.len()];
                    scope.spawn(move || {
                        start.wait();
                        ThreadResult::measure(client, slice)
                    })
                })
                .collect();
            let results = threads.into_iter().map(ScopedJoinHandle::join);
            results
                .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        let mean_rate = |time: fn(&ThreadResult) -> Duration| {
            mean(results.iter().map(|result| result.rate(time(result))))
        };
        self.wall_rates.push(mean_rate(|result| result.wall));
        self.client_rates.push(mean_rate(|result| result.client));
        Ok(())
    }
}

/// The work of one thread in one round.
struct ThreadResult {
    handshakes: u32,
    wall: Duration,
    client: Duration,
}

impl ThreadResult {
    fn measure(client: &Client, slice: Duration) -> Result<Self, HandshakeError> {
        let (mut handshakes, mut client_time) = (0, Duration::ZERO);
        let start = Instant::now();
        loop {
            client_time += client.handshake()?.client;
            handshakes += 1;
            let wall = start.elapsed();
            if wall >= slice {
                return Ok(Self {
                    handshakes,
                    wall,
                    client: client_time,
                });
            }
        }
    }

    fn rate(&self, time: Duration) -> f64 {
        f64::from(self.handshakes) / time.as_secs_f64()
    }
}

#[allow(clippy::cast_precision_loss)] // a few threads
fn mean(rates: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = rates.len() as f64;
    rates.sum::<f64>() / count
}

/// Rounded to whole handshakes: more digits would be noise.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates
        .get(rates.len() / 2)
        .copied()
        .unwrap_or_default()
        .round()
}
