//! The value of a server in the general caches: a bounded queue of tickets, and the hint.

use std::collections::VecDeque;

use store_core::Timestamp;

/// One server's tickets, oldest first, and its hint.
pub(super) struct Queue<V> {
    tickets: VecDeque<Ticket<V>>,
    bytes: usize,
    pub(super) hint: Option<u16>,
}

struct Ticket<V> {
    value: V,
    expires: Timestamp,
    weight: usize,
}

impl<V> Queue<V> {
    /// Adds a ticket, and drops the oldest ones beyond `max_tickets`.
    pub(super) fn push(&mut self, value: V, expires: Timestamp, weight: usize, max_tickets: usize) {
        while self.tickets.len() >= max_tickets {
            let Some(oldest) = self.tickets.pop_front() else {
                return; // `max_tickets` is 0
            };
            self.bytes -= oldest.weight;
        }
        self.bytes += weight;
        self.tickets.push_back(Ticket {
            value,
            expires,
            weight,
        });
    }

    /// Removes the newest ticket that has not expired, and the expired ones after it.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<V> {
        loop {
            let ticket = self.tickets.pop_back()?;
            self.bytes -= ticket.weight;
            if ticket.expires > now {
                return Some(ticket.value);
            }
        }
    }

    /// Weight of the tickets.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Expiry of the ticket that expires last.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.tickets.iter().map(|ticket| ticket.expires).max()
    }
}

impl<V> Default for Queue<V> {
    fn default() -> Self {
        Self {
            tickets: VecDeque::new(),
            bytes: 0,
            hint: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn tickets_come_out_newest_first_and_expired_ones_do_not() {
        let at = |seconds| Timestamp::from_unix(Duration::from_secs(seconds));
        let mut queue = Queue::default();
        for (value, expires) in [(1, 20), (2, 20), (3, 10), (4, 20)] {
            queue.push(value, at(expires), 100, 3);
        }
        assert_eq!(queue.bytes(), 300);
        assert_eq!(queue.expires(), Some(at(20)));
        assert_eq!(queue.pop(at(10)), Some(4));
        assert_eq!(queue.pop(at(10)), Some(2));
        assert_eq!(queue.pop(at(10)), None);
        assert_eq!(queue.bytes(), 0);
    }
}
