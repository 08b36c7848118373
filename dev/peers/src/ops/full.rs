//! A store at capacity, in which each put evicts.

use std::sync::Arc;

use pki_types::ServerName;
use rustls::client::Tls13ClientSessionValue;

use super::populated::{BATCH, EXPIRES, NOW, WEIGHT, time, to_float};
use crate::measure::{Meter, names};
use crate::tickets::TicketSource;
use crate::{Capacity, Peer, StoreFactory};

/// The most bytes that a store needs for a server, beside its ticket.
const SERVER_OVERHEAD: usize = 1024;

/// A full store and the servers whose tickets are put in turn.
pub(super) struct FullStore {
    store: Arc<dyn Peer<Tls13ClientSessionValue>>,
    servers: Vec<ServerName<'static>>,
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
            // Stores limited by bytes may hold a quarter more servers.
            servers: names(
                "host",
                if is_single {
                    1
                } else {
                    servers * 3 / 2 + BATCH
                },
            ),
            next: 0,
        };
        let puts = if is_single {
            capacity.tickets_per_server
        } else {
            servers * 13 / 10
        };
        for ticket in source.take(puts) {
            full.put(ticket);
        }
        full
    }

    /// Puts a batch; nanoseconds per put.
    pub(super) fn measure_ns(&mut self, source: &TicketSource) -> f64 {
        let tickets = source.take(BATCH);
        let took = time(|| tickets.into_iter().for_each(|ticket| self.put(ticket)));
        took.as_secs_f64() * 1e9 / to_float(BATCH)
    }

    /// Puts a batch; allocations per put.
    pub(super) fn count_allocations(&mut self, source: &TicketSource, meter: Meter) -> f64 {
        let mut tickets = source.take(BATCH).into_iter();
        let allocated = meter(&mut || tickets.by_ref().for_each(|ticket| self.put(ticket)));
        to_float(allocated.count) / to_float(BATCH)
    }

    fn put(&mut self, ticket: Tls13ClientSessionValue) {
        let server = &self.servers[self.next];
        self.next = (self.next + 1) % self.servers.len();
        self.store
            .put(server, ticket, NOW.after(EXPIRES), WEIGHT, NOW);
    }
}
