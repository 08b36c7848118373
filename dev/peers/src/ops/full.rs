//! A store at capacity, in which each put evicts.

use std::sync::Arc;

use pki_types::ServerName;
use rustls::client::Tls13ClientSessionValue;

use super::populated::{BATCH, EXPIRES, NOW, WEIGHT, time, to_float};
use crate::measure::{Meter, names, numbered_names};
use crate::tickets::TicketSource;
use crate::{Capacity, Peer, StoreFactory};

/// The most bytes that a store needs for a server, beside its ticket.
const SERVER_OVERHEAD: usize = 1024;

/// A full store. Each put is for a server that was never put before: the store could still have an
/// earlier one, and a put for it evicts nothing. A store for a single server gets that server's
/// tickets.
pub(super) struct FullStore {
    store: Arc<dyn Peer<Tls13ClientSessionValue>>,
    is_single: bool,
    /// The number of the next server.
    next: usize,
}

impl FullStore {
    pub(super) fn new(factory: &StoreFactory, servers: usize, source: &TicketSource) -> Self {
        let is_single = servers == 1;
        let capacity = Capacity {
            servers,
            // With one server, its number of tickets is the limit.
            bytes: if is_single { 1_000 } else { servers } * (WEIGHT + SERVER_OVERHEAD),
            ..Capacity::default()
        };
        let mut full = Self {
            store: factory.create(&capacity),
            is_single,
            next: 0,
        };
        let puts = if is_single {
            capacity.tickets_per_server
        } else {
            // Stores limited by bytes may hold a quarter more servers.
            servers * 13 / 10
        };
        let servers = full.servers(puts);
        full.put(&servers, source.take(puts));
        full
    }

    /// Puts a batch; nanoseconds per put.
    pub(super) fn measure_ns(&mut self, source: &TicketSource) -> f64 {
        let (servers, tickets) = (self.servers(BATCH), source.take(BATCH));
        let took = time(|| self.put(&servers, tickets));
        took.as_secs_f64() * 1e9 / to_float(BATCH)
    }

    /// Puts a batch; allocations per put.
    pub(super) fn count_allocations(&mut self, source: &TicketSource, meter: Meter) -> f64 {
        let (servers, mut tickets) = (self.servers(BATCH), source.take(BATCH));
        let allocated = meter(&mut || self.put(&servers, tickets.drain(..)));
        to_float(allocated.count) / to_float(BATCH)
    }

    /// The servers of the next `puts` puts.
    fn servers(&mut self, puts: usize) -> Vec<ServerName<'static>> {
        if self.is_single {
            return vec![names("host", 1).remove(0); puts];
        }
        let first = self.next;
        self.next += puts;
        numbered_names("host", first..self.next)
    }

    fn put(
        &self,
        servers: &[ServerName<'static>],
        tickets: impl IntoIterator<Item = Tls13ClientSessionValue>,
    ) {
        for (server, ticket) in servers.iter().zip(tickets) {
            self.store
                .put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
        }
    }
}
