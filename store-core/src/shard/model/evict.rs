//! Eviction in the model.

use std::collections::HashSet;

use super::{Model, Ring};
use crate::Timestamp;

impl Model {
    pub(super) fn make_room(&mut self, spared: Option<u8>, now: Timestamp) {
        while !self.fits() {
            let Some(position) = self.victim(spared, now) else {
                return;
            };
            let server = self.remove(position);
            let counter = if server.is_expired(now) {
                &mut self.stats.expired
            } else {
                &mut self.stats.evicted
            };
            *counter += server.sessions.len() as u64;
        }
    }

    fn victim(&mut self, spared: Option<u8>, now: Timestamp) -> Option<usize> {
        if let Some(position) = self.oldest(Ring::Empty) {
            return Some(position);
        }
        let excess = self.excess();
        let all: Vec<u8> = (0..self.domains).collect();
        let found = self.pass_hand(spared, &excess, now);
        found.or_else(|| self.pass_hand(spared, &all, now))
    }

    pub(super) fn domain(&self, name: u8) -> u8 {
        name % self.domains
    }

    /// The domains that have more than an equal share of what is short.
    fn excess(&self) -> Vec<u8> {
        let domains: HashSet<u8> = self.servers.iter().map(|it| self.domain(it.name)).collect();
        let of = |domain: u8| {
            let servers = self.servers.iter();
            servers.filter(move |server| self.domain(server.name) == domain)
        };
        let exceeds = |domain: &u8| {
            if domains.len() == 1 {
                true
            } else if self.servers.len() > self.limits.servers {
                of(*domain).count() > self.limits.servers / domains.len()
            } else {
                let costs = of(*domain).map(|it| self.sizes.fixed + it.footprint(self.sizes));
                costs.sum::<usize>() > self.limits.total_bytes / domains.len()
            }
        };
        domains.iter().copied().filter(exceeds).collect()
    }

    /// The victim among the servers of these domains.
    fn pass_hand(&mut self, spared: Option<u8>, domains: &[u8], now: Timestamp) -> Option<usize> {
        for ring in [Ring::Probation, Ring::Protected] {
            loop {
                let may_go: Vec<usize> = (0..self.servers.len())
                    .filter(|position| {
                        let server = &self.servers[*position];
                        server.ring == ring && domains.contains(&self.domain(server.name))
                    })
                    .collect();
                let Some(position) = may_go.first().copied() else {
                    break;
                };
                if spared == Some(self.servers[position].name) {
                    if may_go.len() == 1 {
                        break;
                    }
                    self.move_to(position, ring);
                } else if self.keeps(position, now) {
                    self.move_to(position, Ring::Protected);
                    if ring == Ring::Probation {
                        self.bound_protected(now);
                    }
                } else {
                    return Some(position);
                }
            }
        }
        None
    }

    fn keeps(&mut self, position: usize, now: Timestamp) -> bool {
        let server = &mut self.servers[position];
        std::mem::take(&mut server.visited) && !server.is_expired(now)
    }

    fn bound_protected(&mut self, now: Timestamp) {
        let limits = self.limits.clone();
        let bytes = |model: &Self| {
            let protected = model.servers.iter().filter(|it| it.ring == Ring::Protected);
            let costs = protected.map(|it| model.sizes.fixed + it.footprint(model.sizes));
            costs.sum::<usize>()
        };
        while self.len(Ring::Protected) > (limits.servers * 4 / 5).max(1)
            || (bytes(self) > limits.total_bytes / 5 * 4 && self.len(Ring::Protected) > 1)
        {
            let oldest = self.oldest(Ring::Protected).expect("more than one");
            let ring = if self.keeps(oldest, now) {
                Ring::Protected
            } else {
                Ring::Probation
            };
            self.move_to(oldest, ring);
        }
    }
}
