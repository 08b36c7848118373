//! One connection of a server, without I/O.

use std::fmt;
use std::sync::Arc;

use super::watch::Watch;
use super::{DeclineReason, Protocol};
use crate::client_hello::FirstHello;

/// What a server knows about a finished handshake.
#[allow(clippy::struct_excessive_bools)] // four facts, each of which may hold without the others
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The version that was negotiated.
    pub protocol: Protocol,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// Whether the client offered a session, resumed or not.
    ///
    /// Read from the `ClientHello`. A client of both versions that offers a TLS 1.2 session by its
    /// id, and is declined, cannot be told from one that offers nothing.
    pub offered: bool,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Whether the client presented a certificate, in this handshake or in the one resumed.
    pub client_certificate: bool,
    /// Whether early data was accepted and came.
    pub early_data: bool,
    /// The session that was offered, as it was named on the wire: a ticket or a session id. Equal
    /// values in two handshakes mean that a client used one session twice.
    pub ticket: Option<Vec<u8>>,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("protocol", &self.protocol)
            .field("resumed", &self.resumed)
            .field("offered", &self.offered)
            .field("server_name", &self.server_name)
            .field("client_certificate", &self.client_certificate)
            .field("early_data", &self.early_data)
            .field("ticket", &self.ticket.as_ref().map(Vec::len))
            .finish()
    }
}

/// What either library's connection does for [`ServerConnection`].
pub(super) trait Engine: Send {
    fn receive(&mut self, bytes: &[u8]);
    fn send(&mut self, out: &mut Vec<u8>);
    /// What the client has sent since this was asked last.
    fn received(&mut self) -> Vec<u8>;
    fn early_data(&self) -> &[u8];
    /// Queues data for the client; after the end of the connection it is lost.
    fn write(&mut self, data: &[u8]);
    fn close(&mut self);
    fn outcome(&self) -> Option<Outcome>;
    fn failed(&self) -> Option<&str>;
    fn client_closed(&self) -> bool;
}

/// The part of a [`Handshake`] that only the library knows.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) protocol: Protocol,
    pub(super) resumed: bool,
    pub(super) client_certificate: bool,
    pub(super) early_data: bool,
}

/// A server's end of one connection. It echoes the application data that it reads, unless it is
/// told [not to](Self::without_echo).
///
/// Bytes go in with [`receive`](Self::receive) and come out with [`send`](Self::send); moving them
/// is the business of a transport.
pub struct ServerConnection {
    engine: Box<dyn Engine>,
    hello: FirstHello,
    facts: Option<Handshake>,
    watch: Option<Arc<Watch>>,
    echoes: bool,
    closed: bool,
}

impl ServerConnection {
    pub(super) fn new(engine: Box<dyn Engine>, watch: Option<Arc<Watch>>) -> Self {
        Self {
            engine,
            hello: FirstHello::default(),
            facts: None,
            watch,
            echoes: true,
            closed: false,
        }
    }

    /// Leaves the application data to the caller: [`received`](Self::received) and
    /// [`write`](Self::write).
    #[must_use]
    pub fn without_echo(self) -> Self {
        Self {
            echoes: false,
            ..self
        }
    }

    /// Takes bytes from the client and makes as much progress as they allow.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.hello.receive(bytes);
        self.engine.receive(bytes);
        if self.facts.is_none() {
            self.facts = self.engine.outcome().map(|outcome| self.describe(outcome));
        }
        if self.echoes {
            let data = self.engine.received();
            self.engine.write(&data);
        }
    }

    /// The application data that has come since this was asked last: nothing before the handshake
    /// is done, and nothing where it is echoed.
    pub fn received(&mut self) -> Vec<u8> {
        self.engine.received()
    }

    /// All the early data that was accepted so far, whether the handshake is done or not. It is
    /// application data like any other, too: echoed or [`received`](Self::received).
    pub fn early_data(&self) -> &[u8] {
        self.engine.early_data()
    }

    /// Queues application data for the client. There is no limit to what is queued.
    pub fn write(&mut self, data: &[u8]) {
        self.engine.write(data);
    }

    /// Appends what is to be sent to the client.
    pub fn send(&mut self, out: &mut Vec<u8>) {
        self.engine.send(out);
    }

    /// The handshake, once it is done.
    pub fn facts(&self) -> Option<Handshake> {
        self.facts.clone()
    }

    /// How many tickets were made, where that is [watched](super::Server::watched). They have been
    /// sent when the next bytes of [`send`](Self::send) have.
    pub fn tickets_made(&self) -> Option<usize> {
        self.watch.as_ref().map(|watch| watch.tickets())
    }

    /// Why the ticket that was offered was not taken, where that is
    /// [watched](super::Server::watched) and the server knows. Of several, it is the last.
    pub fn decline_reason(&self) -> Option<DeclineReason> {
        let resumed = self.facts.as_ref().is_some_and(|facts| facts.resumed);
        let watch = self.watch.as_ref().filter(|_| !resumed)?;
        watch.decline_reason()
    }

    /// Why the connection failed, in the library's words.
    pub fn failed(&self) -> Option<&str> {
        self.engine.failed()
    }

    /// Queues `close_notify`. Nothing is sent after it.
    pub fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.engine.close();
        }
    }

    /// Whether the server is through: it was closed, or it failed.
    pub fn is_closed(&self) -> bool {
        self.closed || self.failed().is_some()
    }

    /// Whether the client has sent `close_notify`.
    pub fn client_closed(&self) -> bool {
        self.engine.client_closed()
    }

    fn describe(&self, outcome: Outcome) -> Handshake {
        let hello = self.hello.hello();
        let by_id = || {
            // A session id next to TLS 1.3 means something only if the server says so.
            hello
                .filter(|_| outcome.resumed)
                .map(|hello| &hello.session_id[..])
        };
        let ticket = hello.and_then(|hello| hello.offered()).or_else(by_id);
        Handshake {
            protocol: outcome.protocol,
            resumed: outcome.resumed,
            offered: ticket.is_some(),
            server_name: hello.and_then(|hello| hello.server_name.clone()),
            client_certificate: outcome.client_certificate,
            early_data: outcome.early_data,
            ticket: ticket.map(<[u8]>::to_vec),
        }
    }
}

impl fmt::Debug for ServerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConnection")
            .field("facts", &self.facts)
            .field("failed", &self.failed())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
