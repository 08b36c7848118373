//! Replay of a trace on a store.

use crate::Peer;

use super::{Servers, Store, TICKET_BYTES, Tally, Ticket, Trace};

/// Result of a trace on one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Name of the trace.
    pub trace: String,
    /// The store.
    pub store: Store,
    /// Byte budget.
    pub budget: usize,
    /// The servers' counters after the warm-up.
    pub tally: Tally,
    /// The most tickets that existed at a time.
    pub max_tickets: usize,
}

impl Rate {
    /// Replays a trace on a new store with a budget in bytes.
    pub fn measure(trace: &Trace, store: Store, budget: usize) -> Self {
        let peer = store.open(budget, trace.profiles.len());
        let mut servers = Servers::new(&trace.profiles);
        replay(trace, &*peer, &mut servers);
        Self {
            trace: trace.kind.name(),
            store,
            budget,
            tally: servers.tally(),
            max_tickets: servers.max_tickets(),
        }
    }

    /// The fraction of connections that were resumed.
    #[allow(clippy::cast_precision_loss, reason = "numbers of connections")]
    pub fn resumed(&self) -> f64 {
        self.tally.resumed as f64 / self.tally.connections.max(1) as f64
    }
}

/// Makes the connections of a trace as a client with this store. Connections that begin together
/// all take their tickets before the first of them receives new ones.
pub fn replay(trace: &Trace, peer: &dyn Peer<Ticket>, servers: &mut Servers<'_>) {
    let mut offers = Vec::new();
    for (number, arrival) in trace.arrivals.iter().enumerate() {
        if number == trace.warm_up {
            servers.reset_tally();
        }
        let name = &trace.names[arrival.server as usize];
        offers.extend((0..arrival.connections).map(|_| peer.take(name, arrival.at)));
        for offer in offers.drain(..) {
            for ticket in servers.connect(arrival.server, offer.as_ref(), arrival.at) {
                let expires = ticket.expires();
                peer.put(name, ticket, expires, TICKET_BYTES, arrival.at);
            }
        }
    }
}
