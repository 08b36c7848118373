//! Events in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A machine begins a connection.
    Arrive(usize),
    /// The TCP connection of this number is made.
    Connected(usize),
    /// A connection has waited for a session for long enough, or has it. The second number tells
    /// whether it is still the same connection.
    Begin(usize, u64),
    /// The handshake of a connection has ended.
    Finish(usize),
    /// The first call of a machine's task has ended.
    CallEnded(usize, u64),
    /// A machine's worker looks for a task.
    Wake(usize, u64),
    /// The tier fails.
    TierFails,
    /// The tier works again.
    TierWorks,
    /// A machine takes no connection any more.
    Leave(usize),
    /// Its connections have ended: its store is closed.
    Close(usize),
    /// It starts again.
    Start(usize),
}

/// The events to come. Those of one time happen in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    added: u64,
}

impl Events {
    pub(super) fn add(&mut self, at: Duration, event: Event) {
        self.added += 1;
        self.heap.push(Reverse((at, self.added, event)));
    }

    pub(super) fn next(&mut self) -> Option<(Duration, Event)> {
        let Reverse((at, _, event)) = self.heap.pop()?;
        Some((at, event))
    }
}
