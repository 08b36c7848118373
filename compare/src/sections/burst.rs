//! How many of several connections that begin together are resumed.
//!
//! Each connection of a burst has looked up its session and sent its `ClientHello` before the server
//! answers the first. All of it runs on one thread, in the same order each time. Only the later
//! bursts count, when the store has filled.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use report::{BurstRow, Report};

use super::options::Options;
use crate::harness::{CustomStore, Fixture, HandshakeError, Scenario, Stack, Store};
use crate::progress::Progress;

/// Tickets after a full TLS 1.3 handshake: the default of both libraries' servers.
const TICKETS: usize = 2;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Connections that begin together.
    pub concurrency: Vec<usize>,
    /// Bursts; the later half counts.
    pub rounds: usize,
    /// Stores beside those of the harness.
    pub custom_stores: Vec<CustomStore>,
}

impl Plan {
    /// Takes a few seconds.
    pub fn short() -> Self {
        Self {
            concurrency: vec![1, 8, 64],
            rounds: 4,
            custom_stores: Vec::new(),
        }
    }

    /// Takes half a minute.
    pub fn full() -> Self {
        Self {
            concurrency: vec![1, 2, 4, 8, 16, 32, 64],
            rounds: 12,
            custom_stores: Vec::new(),
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        let stores = scenarios().map(|scenario| self.stores(scenario).count());
        stores.sum::<usize>() * self.concurrency.len()
    }

    fn stores(&self, scenario: Scenario) -> impl Iterator<Item = Store> {
        let library = scenario.client.library();
        let custom = self.custom_stores.iter();
        let custom = custom.filter(move |store| store.library() == library);
        let known = Store::all_for(library).iter();
        let known = known.filter(|store| store.resumes());
        known.cloned().chain(custom.cloned().map(Store::Custom))
    }
}

/// Measures all stores and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let plan = if options.full {
        Plan::full()
    } else {
        Plan::short()
    };
    let plan = Plan {
        custom_stores: options.custom_stores.clone(),
        ..plan
    };
    progress.expect(plan.steps());
    report.burst = measure(&plan, &mut |what| progress.step(what));
    errors(&report.burst).collect()
}

/// Each client with servers of both libraries, which send different numbers of tickets after a
/// resumed handshake.
fn scenarios() -> impl Iterator<Item = Scenario> {
    Stack::MAIN.into_iter().flat_map(|client| {
        Protocol::ALL.into_iter().flat_map(move |protocol| {
            Library::ALL.map(|server| Scenario {
                server,
                ..Scenario::new(client, protocol)
            })
        })
    })
}

/// Tickets after a full and after a resumed handshake. OpenSSL's server does not renew a TLS 1.2
/// ticket.
fn tickets(scenario: Scenario) -> (usize, usize) {
    match (scenario.protocol, scenario.server) {
        (Protocol::Tls13, Library::Rustls) => (TICKETS, TICKETS),
        (Protocol::Tls13, Library::OpenSsl) => (TICKETS, 1),
        (Protocol::Tls12, Library::Rustls) => (1, 1),
        (Protocol::Tls12, Library::OpenSsl) => (1, 0),
    }
}

/// Measures all stores. `progress` is called [`Plan::steps`] times, with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<BurstRow> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let mut rows = Vec::new();
    for scenario in scenarios() {
        let fixture = Fixture::with_tickets(scenario, &authority, TICKETS);
        for store in plan.stores(scenario) {
            for &concurrency in &plan.concurrency {
                progress(&format!("{scenario}, {store}, {concurrency}"));
                let resumed = resumed_rate(&fixture, &store, concurrency, plan.rounds);
                rows.push(BurstRow {
                    backend: scenario.client.library().to_string(),
                    store: store.to_string(),
                    protocol: scenario.protocol.to_string(),
                    tickets: tickets(scenario),
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

/// The fraction of connections that is resumed in the later half of `rounds` bursts.
#[allow(clippy::cast_precision_loss)] // some thousands
fn resumed_rate(
    fixture: &Fixture,
    store: &Store,
    concurrency: usize,
    rounds: usize,
) -> Result<f64, HandshakeError> {
    let client = fixture.new_client(store.clone())?;
    let first_half = rounds / 2;
    for _ in 0..first_half {
        client.burst(concurrency)?;
    }
    let mut resumed = 0;
    for _ in first_half..rounds {
        resumed += client.burst(concurrency)?;
    }
    Ok(resumed as f64 / (concurrency * (rounds - first_half)) as f64)
}

/// A line for each row that has an error instead of a result.
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
