//! A store that is full: each put makes something go.

use std::sync::Arc;

use pki_types::ServerName;
use rustls::client::Tls13ClientSessionValue;

use super::field::{BATCH, EXPIRES, NOW, WEIGHT, time, to_float};
use crate::measure::{Meter, names};
use crate::tickets::Mint;
use crate::{Candidate, Peer, Room};

/// What a server costs a store at most, beside its ticket.
const PLACE: usize = 1024;

/// A full store and the servers that come to it in turn.
pub(super) struct Capacity {
    store: Arc<dyn Peer<Tls13ClientSessionValue>>,
    servers: Vec<ServerName<'static>>,
    next: usize,
}

impl Capacity {
    pub(super) fn new(store: &Candidate, servers: usize, mint: &Mint) -> Self {
        let alone = servers == 1;
        let room = Room {
            servers,
            // With one server it is the number of its tickets that counts.
            bytes: if alone { 1_000 } else { servers } * (WEIGHT + PLACE),
            ..Room::default()
        };
        let mut full = Self {
            store: store.make(&room),
            // Stores that count bytes may hold a quarter more.
            servers: names("host", if alone { 1 } else { servers * 3 / 2 + BATCH }),
            next: 0,
        };
        let puts = if alone {
            room.tickets_per_server
        } else {
            servers * 13 / 10
        };
        for ticket in mint.draw(puts) {
            full.put(ticket);
        }
        full
    }

    /// What a put took, in nanoseconds.
    pub(super) fn measure(&mut self, mint: &Mint) -> f64 {
        let tickets = mint.draw(BATCH);
        let took = time(|| tickets.into_iter().for_each(|ticket| self.put(ticket)));
        took.as_secs_f64() * 1e9 / to_float(BATCH)
    }

    /// What a put allocates.
    pub(super) fn count(&mut self, mint: &Mint, meter: Meter) -> f64 {
        let mut tickets = mint.draw(BATCH).into_iter();
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
