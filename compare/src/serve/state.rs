//! What the threads of the server share, and what they send to the printer.

use std::sync::mpsc::SyncSender;

use lab::server::Server;

use super::row::Row;
use super::schedule::Schedule;

/// A message to the printer.
pub(super) enum Event {
    /// A handshake has finished or failed.
    Handshake(Box<Row>),
    /// A connection has ended.
    ConnectionEnded,
    /// Check whether to stop.
    Wake,
}

/// The server, shared by the threads of all connections.
pub(super) struct State {
    pub(super) server: Server,
    pub(super) schedule: Schedule,
    pub(super) events: SyncSender<Event>,
}

impl State {
    /// Sends an event. Fails only when the program is about to exit, with the printer gone.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }
}
