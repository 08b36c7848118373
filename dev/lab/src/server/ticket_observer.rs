//! Observes what a server does with the tickets of one connection.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a server declined a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclineReason {
    /// The connection was made to decline: see
    /// [`Server::observed_connection`](super::Server::observed_connection).
    Requested,
    /// No key of the server decrypts the ticket: it is another server's, from before a key
    /// rotation, or not a ticket.
    UnknownKey,
    /// The ticket is older than the lifetime of sessions.
    Expired,
}

/// Called by the library, on the connection's own thread, for each ticket that it makes or
/// decrypts.
#[derive(Debug)]
pub(super) struct TicketObserver {
    /// Whether the server has to decline every ticket.
    decline: bool,
    observed: Mutex<Observed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Observed {
    made: usize,
    decline_reason: Option<DeclineReason>,
}

impl TicketObserver {
    pub(super) fn new(decline: bool) -> Self {
        Self {
            decline,
            observed: Mutex::default(),
        }
    }

    pub(super) fn must_decline(&self) -> bool {
        self.decline
    }

    /// A ticket was made.
    pub(super) fn made(&self) {
        let mut observed = self.observed();
        observed.made = observed.made.saturating_add(1);
    }

    /// A ticket was accepted (`None`) or declined. A client may offer several: the last one counts.
    pub(super) fn tried(&self, decline_reason: Option<DeclineReason>) {
        self.observed().decline_reason = decline_reason;
    }

    /// How many tickets were made.
    pub(super) fn tickets_made(&self) -> usize {
        self.observed().made
    }

    /// Why the last ticket that was tried was declined.
    pub(super) fn decline_reason(&self) -> Option<DeclineReason> {
        self.observed().decline_reason
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
