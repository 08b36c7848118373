//! Servers that issue tickets and keep the rules: nothing twice, nothing late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store_core::Timestamp;

/// How a server deals with tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How long a ticket is good for.
    pub lifetime: Duration,
    /// Tickets after a full handshake.
    pub after_full: u8,
    /// Tickets after a resumed one: OpenSSL gives 1, rustls 2.
    pub after_resumed: u8,
}

/// A ticket as its client holds it.
#[derive(Debug)]
pub struct Ticket {
    number: usize,
    server: u32,
    expires: Timestamp,
    held: Arc<Held>,
}

/// Tickets that exist, and the most there were at a time.
#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Held {
    fn more(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
    }
}

impl Ticket {
    /// When its server refuses it: known to the client by the lifetime that came with it.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        self.held.more();
        Self {
            held: Arc::clone(&self.held),
            ..*self
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.held.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What servers saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections.
    pub connections: u64,
    /// Of them, those that were resumed.
    pub resumed: u64,
    /// Those that offered a ticket that had been offered before.
    pub used_twice: u64,
    /// Those that offered a ticket that was over.
    pub expired: u64,
    /// Those that offered a ticket of another server.
    pub foreign: u64,
}

/// All servers of a trace.
#[derive(Debug)]
pub struct Servers<'t> {
    profiles: &'t [Profile],
    // By number, whether a ticket was offered.
    used: Vec<bool>,
    held: Arc<Held>,
    tally: Tally,
}

impl<'t> Servers<'t> {
    /// Servers that have issued nothing yet.
    pub fn new(profiles: &'t [Profile]) -> Self {
        Self {
            profiles,
            used: Vec::new(),
            held: Arc::default(),
            tally: Tally::default(),
        }
    }

    /// A handshake with `server`, at which the client offers a ticket or none; and the tickets that
    /// come after it.
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
        self.held.more();
        Ticket {
            number,
            server,
            expires: now.after(self.profiles[server as usize].lifetime),
            held: Arc::clone(&self.held),
        }
    }

    /// Starts the tally anew.
    pub fn count_from_here(&mut self) {
        self.tally = Tally::default();
    }

    /// What was seen.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The most tickets that their clients held at a time.
    pub fn most_held(&self) -> usize {
        self.held.most.load(Ordering::Relaxed)
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
        assert_eq!(servers.most_held(), 3);
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
    fn a_ticket_that_is_over_is_refused_and_used() {
        let mut servers = Servers::new(&[PROFILE]);
        let tickets: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(tickets[0].expires(), at(300));
        assert_eq!(servers.connect(0, Some(&tickets[0]), at(300)).count(), 2);
        assert_eq!((servers.tally().resumed, servers.tally().expired), (0, 1));
        assert_eq!(servers.tally().used_twice, 0);
    }

    #[test]
    fn a_ticket_is_good_for_its_own_server_only() {
        let mut servers = Servers::new(&[PROFILE, PROFILE]);
        let tickets: Vec<_> = servers.connect(0, None, at(0)).collect();
        assert_eq!(servers.connect(1, Some(&tickets[0]), at(1)).count(), 2);
        assert_eq!((servers.tally().resumed, servers.tally().foreign), (0, 1));
    }

    #[test]
    fn counting_starts_where_it_is_told_to() {
        let mut servers = Servers::new(&[PROFILE]);
        assert_eq!(servers.connect(0, None, at(0)).count(), 2);
        servers.count_from_here();
        assert_eq!(servers.tally(), Tally::default());
    }
}
