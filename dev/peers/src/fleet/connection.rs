//! The connections that are being made.

use store_core::{Begun, Timestamp};
use store_tiers::Fetch;

use super::servers::Ticket;
use std::time::Duration;

/// A connection until its handshake has ended.
pub(super) struct Connection {
    pub(super) machine: usize,
    /// The process of the machine that makes it.
    pub(super) process: u64,
    pub(super) server: usize,
    pub(super) address: usize,
    /// What it waits for.
    pub(super) fetch: Option<Fetch>,
    /// When it was connected.
    pub(super) connected: Duration,
    /// Its look-up.
    pub(super) begun: Option<Begun>,
    /// The ticket that it offers, and when its session was established.
    pub(super) offered: Option<(Ticket, Timestamp)>,
}

/// Connections by number. The numbers of ended ones are used again.
#[derive(Default)]
pub(super) struct Connections {
    all: Vec<Option<Connection>>,
    /// How often each number was used.
    used: Vec<u64>,
    free: Vec<usize>,
}

impl Connections {
    pub(super) fn add(&mut self, connection: Connection) -> usize {
        let number = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            self.used.push(0);
            self.all.len() - 1
        });
        self.used[number] += 1;
        self.all[number] = Some(connection);
        number
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Connection> {
        self.all.get_mut(number)?.as_mut()
    }

    /// Tells this connection from others of the same number.
    pub(super) fn use_of(&self, number: usize) -> u64 {
        self.used[number]
    }

    pub(super) fn remove(&mut self, number: usize) -> Option<Connection> {
        let removed = self.all.get_mut(number)?.take();
        self.free.extend(removed.as_ref().map(|_| number));
        removed
    }
}
