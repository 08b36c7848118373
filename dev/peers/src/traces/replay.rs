//! A trace on a store.

use crate::Peer;

use super::{Servers, Store, TICKET_BYTES, Tally, Ticket, Trace};

/// What a trace came to on one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The trace.
    pub trace: String,
    /// The store.
    pub store: Store,
    /// Bytes that it may take.
    pub budget: usize,
    /// What the servers saw after the warm-up.
    pub tally: Tally,
    /// The most tickets that there were at a time.
    pub most_held: usize,
}

impl Rate {
    /// Replays a trace on a new store that may take `budget` bytes.
    pub fn of(trace: &Trace, store: Store, budget: usize) -> Self {
        let peer = store.open(budget, trace.profiles.len());
        let mut servers = Servers::new(&trace.profiles);
        replay(trace, &*peer, &mut servers);
        Self {
            trace: trace.kind.name(),
            store,
            budget,
            tally: servers.tally(),
            most_held: servers.most_held(),
        }
    }

    /// The part of the connections that was resumed.
    #[allow(clippy::cast_precision_loss, reason = "numbers of connections")]
    pub fn resumed(&self) -> f64 {
        self.tally.resumed as f64 / self.tally.connections.max(1) as f64
    }
}

/// Lets a client with this store make the connections of a trace. Those that begin together have
/// all taken what they offer before the first of them is given tickets.
pub fn replay(trace: &Trace, peer: &dyn Peer<Ticket>, servers: &mut Servers<'_>) {
    let mut offers = Vec::new();
    for (number, arrival) in trace.arrivals.iter().enumerate() {
        if number == trace.warm_up {
            servers.count_from_here();
        }
        let name = &trace.names[arrival.server as usize];
        offers.extend((0..arrival.together).map(|_| peer.take(name, arrival.at)));
        for offer in offers.drain(..) {
            for ticket in servers.connect(arrival.server, offer.as_ref(), arrival.at) {
                let expires = ticket.expires();
                peer.put(name, ticket, expires, TICKET_BYTES, arrival.at);
            }
        }
    }
}
