//! The stores of a comparison, and what each makes of a budget.

use std::fmt;
use std::sync::Arc;

use super::{TICKET_BYTES, Ticket};
use crate::{Name, Peer, Room, simulated};

/// Servers of rustls's cache with its default settings: 256 sessions, 8 a server.
const RUSTLS_DEFAULT: usize = 32;
/// Tickets a server that the others keep: as many as ours, which suits many connections at a time;
/// as many as rustls's cache; as many as a full handshake gives, which suits one at a time.
const LIKE_OURS: usize = 64;
const LIKE_RUSTLS: usize = 8;
const AS_GIVEN: usize = 2;

/// A store with settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// The store of this project. It bounds and counts its bytes itself; tickets a server by
    /// default.
    TlsResume,
    /// rustls's cache, for as many servers as fit with 8 tickets each.
    RustlsMemory,
    /// rustls's cache with its default settings, whatever the budget.
    RustlsMemoryDefault,
    /// Another cache, and the most tickets that it keeps of a server. Those that weigh do so;
    /// `lru` gets as many servers as fit with these tickets.
    Other(Name, usize),
    /// What a store could reach that forgets nothing but what has expired.
    Ceiling,
}

impl Store {
    /// All of them, ours first.
    pub const ALL: [Self; 10] = [
        Self::TlsResume,
        Self::Other(Name::QuickCache, LIKE_OURS),
        Self::Other(Name::QuickCache, AS_GIVEN),
        Self::Other(Name::Moka, LIKE_OURS),
        Self::Other(Name::Moka, AS_GIVEN),
        Self::Other(Name::Lru, LIKE_RUSTLS),
        Self::Other(Name::Lru, AS_GIVEN),
        Self::RustlsMemory,
        Self::RustlsMemoryDefault,
        Self::Ceiling,
    ];

    /// An empty store that takes at most `budget` bytes, of `servers` servers.
    pub fn open(self, budget: usize, servers: usize) -> Arc<dyn Peer<Ticket>> {
        let (name, room) = self.room(budget, servers);
        simulated(name, &room)
    }

    /// What a budget comes to in what the store can bound.
    fn room(self, budget: usize, servers: usize) -> (Name, Room) {
        let room = Room {
            // More than fit with a ticket each: bytes are the bound.
            servers: budget / TICKET_BYTES,
            tickets_per_server: LIKE_RUSTLS,
            bytes: budget,
            // Each take is followed by a put to the same server, which tells the weight.
            exact: false,
        };
        match self {
            Self::TlsResume => {
                let tickets_per_server = Room::default().tickets_per_server;
                let room = Room {
                    tickets_per_server,
                    ..room
                };
                (Name::TlsResume, room)
            }
            Self::RustlsMemory => {
                let servers = fit(Name::RustlsMemory, LIKE_RUSTLS, budget);
                (Name::RustlsMemory, Room { servers, ..room })
            }
            Self::RustlsMemoryDefault => {
                let servers = RUSTLS_DEFAULT;
                (Name::RustlsMemory, Room { servers, ..room })
            }
            Self::Other(name @ Name::Lru, tickets_per_server) => {
                let room = Room {
                    servers: fit(name, tickets_per_server, budget),
                    tickets_per_server,
                    ..room
                };
                (name, room)
            }
            Self::Other(name, tickets_per_server) => {
                // They weigh tickets only, of which a server has about as many as it gives.
                let room = Room {
                    tickets_per_server,
                    bytes: fit(name, AS_GIVEN, budget) * AS_GIVEN * TICKET_BYTES,
                    ..room
                };
                (name, room)
            }
            Self::Ceiling => {
                let room = Room {
                    servers,
                    tickets_per_server: usize::MAX,
                    ..room
                };
                (Name::Lru, room)
            }
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsResume => Name::TlsResume.fmt(f),
            Self::RustlsMemory => Name::RustlsMemory.fmt(f),
            Self::RustlsMemoryDefault => f.pad("rustls-memory-default"),
            Self::Other(name, tickets) => f.pad(&format!("{name}-{tickets}")),
            Self::Ceiling => f.pad("ceiling"),
        }
    }
}

/// Servers with `tickets` each that fit into a budget.
fn fit(name: Name, tickets: usize, budget: usize) -> usize {
    budget / (tickets * TICKET_BYTES + overhead(name))
}

/// Bytes that a store takes for a server besides its tickets: what was allocated for a server with
/// two of them, less the tickets. Ours counts it itself.
fn overhead(name: Name) -> usize {
    match name {
        Name::TlsResume => 0,
        Name::RustlsMemory => 360,
        Name::HyperOpenssl => 470,
        Name::Lru => 220,
        Name::QuickCache => 250,
        Name::Moka => 540,
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
                let rate = Rate::of(&trace, store, budget);
                // The tickets in the client's hands come on top. moka writes down what was put in
                // and evicts later, which in a store as small as this one is a lot.
                let late = match store {
                    Store::Other(Name::Moka, _) => 4_096,
                    _ => 64,
                };
                let most = budget / TICKET_BYTES;
                assert!(rate.most_held <= most + late, "{store}: {rate:?}");
                assert!(rate.most_held >= most / 8, "{store}: {rate:?}");
            }
        }
    }

    #[test]
    fn no_store_offers_twice_or_late_or_elsewhere() {
        let plan = plan();
        for kind in Kind::ALL {
            let trace = Trace::new(kind, &plan);
            for store in Store::ALL {
                let tally = Rate::of(&trace, store, plan.budget(16)).tally;
                assert!(tally.resumed > 0, "{store} {kind:?}");
                let wrong = (tally.used_twice, tally.expired, tally.foreign);
                assert_eq!(wrong, (0, 0, 0), "{store} {kind:?}");
            }
        }
    }

    #[test]
    fn names_tell_stores_apart() {
        let mut names = Store::ALL.map(|store| store.to_string()).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Store::ALL.len());
        assert!(names.contains(&"quick_cache-64".to_owned()), "{names:?}");
    }
}
