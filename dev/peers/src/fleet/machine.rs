//! A machine of the fleet: its store, and the worker that calls the tier.

use std::sync::Arc;
use std::time::Duration;

use store_core::{Limits, SessionStore};
use store_tiers::simulation::{SimulatedClock, SimulatedStore, Task};
use store_tiers::{Fetch, KeyRing, SharedSettings};

use super::servers::Ticket;
use super::tier::SimulatedTier;

/// Servers that a machine keeps in memory, so that 10,000 machines fit into one process.
const SERVERS: usize = 1_024;

/// The store of a machine's process.
pub(super) enum Store {
    Alone(Box<SessionStore<Ticket>>),
    Shared(Box<SimulatedStore<Ticket>>),
}

impl Store {
    pub(super) fn new(
        tier: Option<&SimulatedTier>,
        ring: &KeyRing,
        clock: &Arc<SimulatedClock>,
    ) -> Self {
        let limits = Limits::default().with_servers(SERVERS);
        match tier {
            None => Self::Alone(Box::new(SessionStore::new(limits).expect("valid limits"))),
            Some(tier) => {
                let (tier, settings) = (Box::new(tier.clone()), SharedSettings::default());
                let store = SimulatedStore::new(limits, tier, ring.clone(), settings, clock);
                Self::Shared(Box::new(store.expect("valid limits")))
            }
        }
    }

    pub(super) fn memory(&self) -> &SessionStore<Ticket> {
        match self {
            Self::Alone(store) => store,
            Self::Shared(store) => store.store().memory(),
        }
    }

    pub(super) fn fetch(&self, key: &store_core::SessionKey) -> Option<Fetch> {
        match self {
            Self::Alone(_) => None,
            Self::Shared(store) => Some(store.store().fetch(key)),
        }
    }
}

/// A machine. Its process is replaced when it restarts.
pub(super) struct Machine {
    /// `None` while it is away.
    pub(super) store: Option<Store>,
    /// Whether it takes no connection any more.
    pub(super) leaves: bool,
    /// The task whose first call to the tier is in progress, and how long that takes.
    pub(super) task: Option<(Task, Duration)>,
    /// Whether the worker waits for further calls of a task that was performed.
    pub(super) is_busy: bool,
    /// Connections that wait for a session.
    pub(super) waiting: Vec<usize>,
    /// The number of the wake-up to come; others are out of date.
    pub(super) wake: u64,
    /// The number of the process.
    pub(super) process: u64,
}

impl Machine {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: Some(store),
            leaves: false,
            task: None,
            is_busy: false,
            waiting: Vec::new(),
            wake: 0,
            process: 0,
        }
    }

    /// Starts a new process, whose memory is empty.
    pub(super) fn restart(&mut self, store: Store) {
        let (wake, process) = (self.wake + 1, self.process + 1);
        *self = Self {
            wake,
            process,
            ..Self::new(store)
        };
    }
}
