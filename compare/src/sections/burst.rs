//! Connections to one server that begin at the same time: how many of them are resumed, once the
//! store has seen some such bursts.
//!
//! Each connection of a burst has taken its session, and said hello, before the server answers the
//! first of them. It all happens on one thread, in the same way each time.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};

use crate::harness::{Corner, HandshakeError, Own, Stack, Stage, Store};
use crate::progress::Progress;
use crate::run::Run;
use report::{BurstRow, Report};

/// Tickets after a full handshake of TLS 1.3: what both libraries' servers send by default.
const TICKETS: usize = 2;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections that begin together.
    pub concurrency: Vec<usize>,
    /// Bursts, of which the later half counts.
    pub rounds: usize,
    /// Stores beside those of the harness.
    pub own: Vec<Own>,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick() -> Self {
        Self {
            concurrency: vec![1, 8, 64],
            rounds: 6,
            own: Vec::new(),
        }
    }

    /// Ends within half a minute.
    pub fn full() -> Self {
        Self {
            concurrency: vec![1, 2, 4, 8, 16, 32, 64],
            rounds: 12,
            own: Vec::new(),
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        let stores = corners().map(|corner| self.stores(corner).count());
        stores.sum::<usize>() * self.concurrency.len()
    }

    fn stores(&self, corner: Corner) -> impl Iterator<Item = Store> {
        let library = corner.client.library();
        let own = self.own.iter().filter(move |own| own.library() == library);
        let all = Store::of(library).iter().filter(|store| store.resumes());
        all.cloned().chain(own.cloned().map(Store::Own))
    }
}

/// Measures all that was asked for, and puts it into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let size = if run.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    let plan = Plan {
        own: run.own.clone(),
        ..size
    };
    progress.expect(plan.steps());
    report.burst = measure(&plan, &mut |what| progress.step(what));
    errors(&report.burst).collect()
}

/// Each client to servers of both libraries, which differ in what follows a resumed handshake.
fn corners() -> impl Iterator<Item = Corner> {
    Stack::MAIN.into_iter().flat_map(|client| {
        Protocol::ALL.into_iter().flat_map(move |protocol| {
            Library::ALL.map(|server| Corner {
                server,
                ..Corner::new(client, protocol)
            })
        })
    })
}

/// What the servers send: a TLS 1.2 server on OpenSSL has no reason to renew a ticket.
fn tickets(corner: Corner) -> (usize, usize) {
    match (corner.protocol, corner.server) {
        (Protocol::Tls13, Library::Rustls) => (TICKETS, TICKETS),
        (Protocol::Tls13, Library::OpenSsl) => (TICKETS, 1),
        (Protocol::Tls12, Library::Rustls) => (1, 1),
        (Protocol::Tls12, Library::OpenSsl) => (1, 0),
    }
}

/// Measures all. `progress` is called [`Plan::steps`] times, with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<BurstRow> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut rows = Vec::new();
    for corner in corners() {
        let stage = Stage::with_tickets(corner, &authority, TICKETS);
        for store in plan.stores(corner) {
            for &concurrency in &plan.concurrency {
                progress(&format!("{corner}, {store}, {concurrency}"));
                let resumed = bursts(&stage, &store, concurrency, plan.rounds);
                rows.push(BurstRow {
                    backend: corner.client.library().to_string(),
                    store: store.to_string(),
                    protocol: corner.protocol.to_string(),
                    tickets: tickets(corner),
                    concurrency,
                    rounds: plan.rounds,
                    resumed_rate: *resumed.as_ref().unwrap_or(&0.0),
                    error: resumed.err().map(|error| error.to_string()),
                });
            }
        }
    }
    rows
}

/// The part that is resumed of the later half of `rounds` bursts.
#[allow(clippy::cast_precision_loss)] // some thousands
fn bursts(
    stage: &Stage,
    store: &Store,
    concurrency: usize,
    rounds: usize,
) -> Result<f64, HandshakeError> {
    let lane = stage.fresh_lane(store.clone())?;
    let first_half = rounds / 2;
    for _ in 0..first_half {
        lane.burst(concurrency)?;
    }
    let mut resumed = 0;
    for _ in first_half..rounds {
        resumed += lane.burst(concurrency)?;
    }
    Ok(resumed as f64 / (concurrency * (rounds - first_half)) as f64)
}

/// What went wrong, a line for each row without a result.
pub fn errors(rows: &[BurstRow]) -> impl Iterator<Item = String> {
    rows.iter().filter_map(|row| {
        let BurstRow {
            backend,
            store,
            protocol,
            concurrency,
            error,
            ..
        } = row;
        let error = error.as_ref()?;
        Some(format!(
            "burst of {concurrency}, {backend}, {protocol}, store {store}: {error}"
        ))
    })
}
