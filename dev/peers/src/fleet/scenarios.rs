//! The scenarios of `docs/scale.md`, as tables and curves.

mod bend;
mod events;
mod kinds;
mod sizes;
mod sweep;
mod table;

pub use table::{Curve, Line, Table};

use std::time::Duration;

use super::{Addresses, Measured, Scenario, Tickets, simulate};

/// What the scenarios have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of everything that is drawn at random.
    pub seed: u64,
    /// Numbers of machines, in rising order.
    pub sizes: Vec<usize>,
    /// Machines of the scenarios that do not vary their number.
    pub machines: usize,
    /// Connections a second of each machine where the tier is brought to its limit, in rising order.
    pub rates: Vec<f64>,
    /// Servers.
    pub servers: usize,
    /// Time before each measurement.
    pub warm_up: Duration,
    /// Time of each measurement without an event.
    pub measured: Duration,
}

impl Plan {
    /// From 10 to 10,000 machines; takes a few minutes and 2 GB of memory.
    pub fn full(seed: u64) -> Self {
        Self {
            seed,
            sizes: vec![10, 100, 1_000, 10_000],
            machines: 1_000,
            rates: vec![0.5, 1.0, 1.5, 2.0, 3.0],
            servers: 1_000,
            warm_up: Duration::from_secs(60),
            measured: Duration::from_secs(30),
        }
    }

    /// A few machines and seconds: for a test.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            sizes: vec![3, 10],
            machines: 10,
            rates: vec![1.0, 2.0],
            servers: 20,
            warm_up: Duration::from_secs(10),
            measured: Duration::from_secs(5),
        }
    }

    /// This many machines that connect once a second, to servers that issue two tickets, and one
    /// after a resumption, as OpenSSL does.
    fn scenario(&self, machines: usize) -> Scenario {
        Scenario {
            machines,
            rate: 1.0,
            servers: self.servers,
            tickets: Tickets {
                after_full: 2,
                after_resumed: 1,
                reuse: false,
            },
            addresses: Addresses::SharedKeys,
            has_tier: true,
            warm_up: self.warm_up,
            measured: self.measured,
            outage: None,
            restart: None,
            seed: self.seed,
        }
    }
}

/// The results of all scenarios.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// Each as text for `docs/scale.md`.
    pub tables: Vec<Table>,
    /// Each as a chart.
    pub curves: Vec<Curve>,
}

/// Simulates all scenarios. `progress` is called with what is simulated.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Results {
    let mut results = Results::default();
    sizes::run(plan, progress, &mut results);
    kinds::run(plan, progress, &mut results);
    events::run(plan, progress, &mut results);
    bend::run(plan, progress, &mut results);
    results
}

/// Simulates a scenario with and without the tier.
fn with_and_without(scenario: &Scenario) -> [Measured; 2] {
    [true, false].map(|has_tier| {
        simulate(&Scenario {
            has_tier,
            ..scenario.clone()
        })
    })
}
