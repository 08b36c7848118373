//! Simulated servers, which accept each ticket once and before it expires.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store_core::Timestamp;

/// A server's ticket behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Lifetime of a ticket.
    pub lifetime: Duration,
    /// Tickets issued after a full handshake.
    pub after_full: u8,
    /// Tickets issued after a resumed handshake: 1 by OpenSSL, 2 by rustls.
    pub after_resumed: u8,
}

/// A ticket in a client's store.
#[derive(Debug)]
pub struct Ticket {
    number: usize,
    server: u32,
    expires: Timestamp,
    live: Arc<LiveTickets>,
}

/// The number of tickets that exist, and its maximum.
#[derive(Debug, Default)]
struct LiveTickets {
    now: AtomicUsize,
    max: AtomicUsize,
}

impl LiveTickets {
    fn add(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(now, Ordering::Relaxed);
    }
}

impl Ticket {
    /// The end of its lifetime, which the server sends with it.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        self.live.add();
        Self {
            live: Arc::clone(&self.live),
            ..*self
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.live.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The servers' counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections.
    pub connections: u64,
    /// Resumed connections.
    pub resumed: u64,
    /// Connections that offered a ticket that had been offered before.
    pub used_twice: u64,
    /// Connections that offered an expired ticket.
    pub expired: u64,
    /// Connections that offered another server's ticket.
    pub foreign: u64,
}

/// All servers of a trace.
#[derive(Debug)]
pub struct Servers<'t> {
    profiles: &'t [Profile],
    // By ticket number: whether the ticket was offered.
    used: Vec<bool>,
    live: Arc<LiveTickets>,
    tally: Tally,
}

impl<'t> Servers<'t> {
    /// Servers that have issued nothing yet.
    pub fn new(profiles: &'t [Profile]) -> Self {
        Self {
            profiles,
            used: Vec::new(),
            live: Arc::default(),
            tally: Tally::default(),
        }
    }

    /// A handshake with `server`; the tickets that the server issues after it.
    pub fn connect(
        &mut self,
        server: u32,
        offered: Option<&Ticket>,
        now: Timestamp,
    ) -> impl Iterator<Item = Ticket> {
        let resumed = offered.is_some_and(|ticket| self.accepts(server, ticket, now));
        self.tally.connections += 1;
        self.tally.resumed += u64::from(resumed);

        let profile = self.profiles[server as usize];
        let tickets = if resumed {
            profile.after_resumed
        } else {
            profile.after_full
        };
        (0..tickets).map(move |_| self.issue(server, now))
    }

    fn accepts(&mut self, server: u32, ticket: &Ticket, now: Timestamp) -> bool {
        let used = std::mem::replace(&mut self.used[ticket.number], true);
        let (expired, foreign) = (ticket.expires <= now, ticket.server != server);
        self.tally.used_twice += u64::from(used);
        self.tally.expired += u64::from(expired);
        self.tally.foreign += u64::from(foreign);
        !used && !expired && !foreign
    }

    fn issue(&mut self, server: u32, now: Timestamp) -> Ticket {
        let number = self.used.len();
        self.used.push(false);
        self.live.add();
        Ticket {
            number,
            server,
            expires: now.after(self.profiles[server as usize].lifetime),
            live: Arc::clone(&self.live),
        }
    }

    /// Resets the counters.
    pub fn reset_tally(&mut self) {
        self.tally = Tally::default();
    }

    /// The counters.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The most tickets that existed at a time.
    pub fn max_tickets(&self) -> usize {
        self.live.max.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: Profile = Profile {
        lifetime: Duration::from_secs(300),
        after_full: 2,
        after_resumed: 1,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn a_full_handshake_gives_two_tickets_and_a_resumed_one_gives_one() {
        let mut servers = Servers::new(&[PROFILE]);
        let first: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(first.len(), 2);
        let next: Vec<_> = servers.connect(0, Some(&first[0]), at(299)).collect();
        assert_eq!(next.len(), 1);
        assert_eq!(
            (servers.tally().connections, servers.tally().resumed),
            (2, 1)
        );
        assert_eq!(servers.max_tickets(), 3);
    }

    #[test]
    fn a_second_use_is_refused() {
        let mut servers = Servers::new(&[PROFILE]);
        let tickets: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(servers.connect(0, Some(&tickets[1]), at(1)).count(), 1);
        let copy = tickets[1].clone();
        assert_eq!(servers.connect(0, Some(&copy), at(2)).count(), 2);
        assert_eq!(
            (servers.tally().resumed, servers.tally().used_twice),
            (1, 1)
        );
    }

    #[test]
    fn an_expired_ticket_is_refused_and_counts_as_used() {
        let mut servers = Servers::new(&[PROFILE]);
        let tickets: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(tickets[0].expires(), at(300));
        assert_eq!(servers.connect(0, Some(&tickets[0]), at(300)).count(), 2);
        assert_eq!((servers.tally().resumed, servers.tally().expired), (0, 1));
        assert_eq!(servers.tally().used_twice, 0);
    }

    #[test]
    fn a_ticket_of_another_server_is_refused() {
        let mut servers = Servers::new(&[PROFILE, PROFILE]);
        let tickets: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(servers.connect(1, Some(&tickets[0]), at(1)).count(), 2);
        assert_eq!((servers.tally().resumed, servers.tally().foreign), (0, 1));
    }

    #[test]
    fn the_tally_can_be_reset() {
        let mut servers = Servers::new(&[PROFILE]);
        assert_eq!(servers.connect(0, None, at(0)).count(), 2);
        servers.reset_tally();
        assert_eq!(servers.tally(), Tally::default());
    }
}
