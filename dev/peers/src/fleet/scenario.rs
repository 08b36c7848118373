//! What is simulated.

use std::time::Duration;

use store_core::AddressId;

/// A fleet, its servers, and what happens to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Number of machines, each with one process.
    pub machines: usize,
    /// Connections a second of each machine, on average.
    pub rate: f64,
    /// Number of servers; Zipf's law with exponent 0.9 chooses among them.
    pub servers: usize,
    /// Tickets of the servers, and how often the clients offer one.
    pub tickets: Tickets,
    /// Machines behind the name of each server.
    pub addresses: Addresses,
    /// Whether there is a tier.
    pub has_tier: bool,
    /// Time before the measurement, in which memory and the tier fill.
    pub warm_up: Duration,
    /// Time of the measurement.
    pub measured: Duration,
    /// When the tier fails.
    pub outage: Option<Outage>,
    /// When the machines restart.
    pub restart: Option<Restart>,
    /// Seed of everything that is drawn at random.
    pub seed: u64,
}

/// The tickets of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tickets {
    /// Tickets after a full handshake.
    pub after_full: usize,
    /// Tickets after a resumed handshake.
    pub after_resumed: usize,
    /// Whether clients offer the newest one again until a newer one comes.
    pub reuse: bool,
}

/// Machines behind one name, of which each connection reaches one at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// One, or several that share their ticket keys.
    SharedKeys,
    /// So many, each with its own ticket keys, behind one address: clients cannot tell them apart.
    Hidden(usize),
    /// The same, each with its own address, which the store learns from (R40).
    Known(usize),
    /// The same; clients store the sessions of each by themselves (`ConnectOptions::endpoint`).
    Named(usize),
}

impl Addresses {
    /// The number of machines that have ticket keys of their own.
    pub(super) fn count(self) -> usize {
        match self {
            Self::SharedKeys => 1,
            Self::Hidden(count) | Self::Known(count) | Self::Named(count) => count,
        }
    }

    /// What the store is told of the machine of this number.
    pub(super) fn id(self, machine: usize) -> Option<AddressId> {
        let number = u32::try_from(machine + 1).ok();
        number
            .filter(|_| matches!(self, Self::Known(_)))
            .and_then(AddressId::new)
    }
}

/// A time in which the tier fails.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// When it begins, since the start of the simulation.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// How the tier fails.
    pub failure: Failure,
}

/// How a tier fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its process ends: connections are refused, and it comes back empty.
    Crash,
    /// It answers nothing, and continues with the records that it had.
    Hang,
}

/// A restart of all machines, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// When the first one restarts, since the start of the simulation.
    pub at: Duration,
    /// Until when all have begun to.
    pub lasts: Duration,
    /// How long a machine is away.
    pub away: Duration,
}
