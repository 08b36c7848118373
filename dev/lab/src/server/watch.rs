//! What becomes of the tickets of one connection.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a server did not take a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclineReason {
    /// It was told to decline: see [`Server::watched`](super::Server::watched).
    Requested,
    /// None of its keys opens the ticket: it comes from another server or from before a rotation,
    /// or it is no ticket at all.
    UnknownKey,
    /// The ticket is older than sessions live.
    Expired,
}

impl DeclineReason {
    /// A few words for tables and lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told to decline",
            Self::Unopened => "sealed with other keys",
            Self::TooOld => "too old",
        }
    }
}

impl fmt::Display for DeclineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Told by the library, on the connection's own thread, each time that it makes or opens a ticket.
#[derive(Debug)]
pub(super) struct Watch {
    declines: bool,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    made: usize,
    refusal: Option<DeclineReason>,
}

impl Watch {
    pub(super) fn new(declines: bool) -> Self {
        Self {
            declines,
            seen: Mutex::default(),
        }
    }

    /// Whether every ticket is to be declined.
    pub(super) fn declines(&self) -> bool {
        self.declines
    }

    pub(super) fn made(&self) {
        let mut seen = self.seen();
        seen.made = seen.made.saturating_add(1);
    }

    /// One of several tickets may be taken after others were not.
    pub(super) fn opened(&self, refusal: Option<DeclineReason>) {
        self.seen().refusal = refusal;
    }

    /// How many tickets were made.
    pub(super) fn tickets(&self) -> usize {
        self.seen().made
    }

    /// Why the last ticket that was looked at was not taken.
    pub(super) fn decline_reason(&self) -> Option<DeclineReason> {
        self.seen().refusal
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
