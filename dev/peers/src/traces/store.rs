//! The stores that replay traces, and the limits that follow from a byte budget.

use std::fmt;
use std::sync::Arc;

use super::{TICKET_BYTES, Ticket};
use crate::{Capacity, Peer, StoreKind, simulated};

/// Servers of rustls's cache by default: 256 sessions, 8 per server.
const RUSTLS_DEFAULT: usize = 32;
/// Limits of tickets per server: our store's, rustls's cache's, and the number that a full
/// handshake yields. The first suits many connections at a time, the last suits one.
const OUR_TICKETS: usize = 64;
const RUSTLS_TICKETS: usize = 8;
const ISSUED_TICKETS: usize = 2;

/// A store with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// The store of this project, limited by bytes, with its default limit of tickets per server.
    TlsResume,
    /// rustls's cache, for as many servers as fit the budget with 8 tickets each.
    RustlsMemory,
    /// rustls's cache with its default settings, whatever the budget.
    RustlsMemoryDefault,
    /// Another cache with a limit of tickets per server. Weighing caches are limited by bytes,
    /// `lru` by as many servers as fit the budget with these tickets.
    Other(StoreKind, usize),
    /// An unbounded store, which drops expired tickets only: the upper bound of the hit rate.
    Ceiling,
}

impl Store {
    /// All of them, ours first.
    pub const ALL: [Self; 10] = [
        Self::TlsResume,
        Self::Other(StoreKind::QuickCache, OUR_TICKETS),
        Self::Other(StoreKind::QuickCache, ISSUED_TICKETS),
        Self::Other(StoreKind::Moka, OUR_TICKETS),
        Self::Other(StoreKind::Moka, ISSUED_TICKETS),
        Self::Other(StoreKind::Lru, RUSTLS_TICKETS),
        Self::Other(StoreKind::Lru, ISSUED_TICKETS),
        Self::RustlsMemory,
        Self::RustlsMemoryDefault,
        Self::Ceiling,
    ];

    /// Creates an empty store of at most `budget` bytes for a trace of `servers` servers.
    pub fn open(self, budget: usize, servers: usize) -> Arc<dyn Peer<Ticket>> {
        let (kind, capacity) = self.capacity(budget, servers);
        simulated(kind, &capacity)
    }

    /// The limits that follow from a budget.
    fn capacity(self, budget: usize, servers: usize) -> (StoreKind, Capacity) {
        let capacity = Capacity {
            // More than fit with a ticket each, so that bytes are the limit.
            servers: budget / TICKET_BYTES,
            tickets_per_server: RUSTLS_TICKETS,
            bytes: budget,
            // Each take is followed by a put for the same server, which updates the weight.
            exact: false,
        };
        match self {
            Self::TlsResume => {
                let tickets_per_server = Capacity::default().tickets_per_server;
                let capacity = Capacity {
                    tickets_per_server,
                    ..capacity
                };
                (StoreKind::TlsResume, capacity)
            }
            Self::RustlsMemory => {
                let servers = fit(StoreKind::RustlsMemory, RUSTLS_TICKETS, budget);
                (
                    StoreKind::RustlsMemory,
                    Capacity {
                        servers,
                        ..capacity
                    },
                )
            }
            Self::RustlsMemoryDefault => {
                let servers = RUSTLS_DEFAULT;
                (
                    StoreKind::RustlsMemory,
                    Capacity {
                        servers,
                        ..capacity
                    },
                )
            }
            Self::Other(kind @ StoreKind::Lru, tickets_per_server) => {
                let capacity = Capacity {
                    servers: fit(kind, tickets_per_server, budget),
                    tickets_per_server,
                    ..capacity
                };
                (kind, capacity)
            }
            Self::Other(kind, tickets_per_server) => {
                // They weigh tickets only; a server has about as many as it issues.
                let capacity = Capacity {
                    tickets_per_server,
                    bytes: fit(kind, ISSUED_TICKETS, budget) * ISSUED_TICKETS * TICKET_BYTES,
                    ..capacity
                };
                (kind, capacity)
            }
            Self::Ceiling => {
                let capacity = Capacity {
                    servers,
                    tickets_per_server: usize::MAX,
                    ..capacity
                };
                (StoreKind::Lru, capacity)
            }
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsResume => StoreKind::TlsResume.fmt(f),
            Self::RustlsMemory => StoreKind::RustlsMemory.fmt(f),
            Self::RustlsMemoryDefault => f.pad("rustls-memory-default"),
            Self::Other(kind, tickets) => f.pad(&format!("{kind}-{tickets}")),
            Self::Ceiling => f.pad("ceiling"),
        }
    }
}

/// The number of servers with `tickets` each that fit into a budget.
fn fit(kind: StoreKind, tickets: usize, budget: usize) -> usize {
    budget / (tickets * TICKET_BYTES + overhead(kind))
}

/// Bytes of a server besides its tickets: what was allocated for a server with two tickets, less
/// the tickets. 0 for our store, which counts them itself.
fn overhead(kind: StoreKind) -> usize {
    match kind {
        StoreKind::TlsResume => 0,
        StoreKind::RustlsMemory => 360,
        StoreKind::HyperOpenssl => 470,
        StoreKind::Lru => 220,
        StoreKind::QuickCache => 250,
        StoreKind::Moka => 540,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::{Kind, Plan, Rate, Trace};

    fn plan() -> Plan {
        Plan {
            connections: 4_000,
            servers: 300,
            ..Plan::quick(3)
        }
    }

    #[test]
    fn stores_use_their_budget_and_no_more() {
        let plan = plan();
        for kind in Kind::ALL {
            let trace = Trace::new(kind, &plan);
            let budget = plan.budget(16);
            let unbounded = [Store::Ceiling, Store::RustlsMemoryDefault];
            for store in Store::ALL {
                if unbounded.contains(&store) {
                    continue;
                }
                let rate = Rate::measure(&trace, store, budget);
                // Tickets in use by the client are extra. moka evicts in the background, which lags
                // much in a store as small as this one.
                let excess = match store {
                    Store::Other(StoreKind::Moka, _) => 4_096,
                    _ => 64,
                };
                let most = budget / TICKET_BYTES;
                assert!(rate.max_tickets <= most + excess, "{store}: {rate:?}");
                assert!(rate.max_tickets >= most / 8, "{store}: {rate:?}");
            }
        }
    }

    #[test]
    fn no_store_offers_a_used_expired_or_foreign_ticket() {
        let plan = plan();
        for kind in Kind::ALL {
            let trace = Trace::new(kind, &plan);
            for store in Store::ALL {
                let tally = Rate::measure(&trace, store, plan.budget(16)).tally;
                assert!(tally.resumed > 0, "{store} {kind:?}");
                let wrong = (tally.used_twice, tally.expired, tally.foreign);
                assert_eq!(wrong, (0, 0, 0), "{store} {kind:?}");
            }
        }
    }

    #[test]
    fn store_names_are_distinct() {
        let mut names = Store::ALL.map(|store| store.to_string()).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Store::ALL.len());
        assert!(names.contains(&"quick_cache-64".to_owned()), "{names:?}");
    }
}
