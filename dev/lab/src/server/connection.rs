//! The server's end of a connection, without I/O.

use std::fmt;
use std::sync::Arc;

use super::settings::Protocol;
use super::ticket_observer::{DeclineReason, TicketObserver};
use crate::client_hello::HelloReader;

/// A completed handshake, as the server reports it.
#[allow(clippy::struct_excessive_bools)] // four independent facts
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The negotiated version.
    pub protocol: Protocol,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// Whether the client offered a session, by its `ClientHello`.
    ///
    /// Wrongly `false` if a client of both versions offers a TLS 1.2 session by its id and the
    /// server declines it: such a session id looks like a random one.
    pub offered: bool,
    /// The name in the client's SNI extension.
    pub server_name: Option<String>,
    /// Whether the client presented a certificate, in this handshake or in the one resumed.
    pub client_certificate: bool,
    /// The client's own certificate in DER, of this handshake or of the one resumed.
    pub client_leaf: Option<Vec<u8>>,
    /// Whether the server accepted early data and received some.
    pub early_data: bool,
    /// The identifier of the session that the client offered: a ticket or a session id. Equal
    /// values in two handshakes mean that a client used one session twice.
    pub ticket: Option<Vec<u8>>,
    /// The key-exchange groups in the client's first message, in its order.
    pub groups: Vec<u16>,
    /// Those of [`groups`](Self::groups) for which the first message has a key share.
    pub key_shares: Vec<u16>,
    /// The channel binding `tls-exporter` (RFC 9266), extended master secret or not.
    pub tls_exporter: Option<[u8; 32]>,
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
            .field("key_shares", &self.key_shares)
            .finish_non_exhaustive()
    }
}

/// A connection of one library, behind a [`ServerConnection`].
pub(super) trait Engine: Send {
    fn receive(&mut self, bytes: &[u8]);
    fn send(&mut self, out: &mut Vec<u8>);
    /// Takes the application data received since the last call.
    fn received(&mut self) -> Vec<u8>;
    fn early_data(&self) -> &[u8];
    /// Queues data for the client; discards it once the connection is closed.
    fn write(&mut self, data: &[u8]);
    fn close(&mut self);
    /// `None` before the handshake is completed.
    fn negotiated(&self) -> Option<Negotiated>;
    /// 32 bytes of keying material.
    fn export(&self, label: &str, context: Option<&[u8]>) -> Option<[u8; 32]>;
    fn failed(&self) -> Option<&str>;
    fn client_closed(&self) -> bool;
}

/// The part of a [`Handshake`] that the library reports.
#[derive(Clone)]
pub(super) struct Negotiated {
    pub(super) protocol: Protocol,
    pub(super) resumed: bool,
    pub(super) client_leaf: Option<Vec<u8>>,
    pub(super) early_data: bool,
}

/// The server's end of a connection. It echoes application data, unless it is
/// [`without_echo`](Self::without_echo).
///
/// A transport passes the client's bytes to [`receive`](Self::receive) and takes the server's from
/// [`send`](Self::send).
pub struct ServerConnection {
    engine: Box<dyn Engine>,
    hello: HelloReader,
    facts: Option<Handshake>,
    observer: Option<Arc<TicketObserver>>,
    echo: bool,
    closed: bool,
}

impl ServerConnection {
    pub(super) fn new(engine: Box<dyn Engine>, observer: Option<Arc<TicketObserver>>) -> Self {
        Self {
            engine,
            hello: HelloReader::default(),
            facts: None,
            observer,
            echo: true,
            closed: false,
        }
    }

    /// Turns the echo off: the caller uses [`received`](Self::received) and [`write`](Self::write).
    #[must_use]
    pub fn without_echo(self) -> Self {
        Self {
            echo: false,
            ..self
        }
    }

    /// Processes bytes from the client.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.hello.receive(bytes);
        self.engine.receive(bytes);
        if self.facts.is_none() {
            let negotiated = self.engine.negotiated();
            self.facts = negotiated.map(|negotiated| self.handshake(negotiated));
        }
        if self.echo {
            let data = self.engine.received();
            self.engine.write(&data);
        }
    }

    /// Takes the application data received since the last call. Empty before the handshake is
    /// completed, and with the echo on.
    pub fn received(&mut self) -> Vec<u8> {
        self.engine.received()
    }

    /// All early data accepted so far. After the handshake it is echoed, or
    /// [`received`](Self::received), like other application data.
    pub fn early_data(&self) -> &[u8] {
        self.engine.early_data()
    }

    /// Queues application data for the client, without a limit.
    pub fn write(&mut self, data: &[u8]) {
        self.engine.write(data);
    }

    /// Appends the bytes for the client to `out`.
    pub fn send(&mut self, out: &mut Vec<u8>) {
        self.engine.send(out);
    }

    /// The handshake, once it is completed.
    pub fn facts(&self) -> Option<Handshake> {
        self.facts.clone()
    }

    /// 32 bytes of keying material (RFC 5705). `None` before the handshake is completed.
    pub fn export_keying_material(&self, label: &str, context: Option<&[u8]>) -> Option<[u8; 32]> {
        self.engine.export(label, context)
    }

    /// How many tickets were made, if the connection is
    /// [observed](super::Server::observed_connection). The next [`send`](Self::send) has them.
    pub fn tickets_made(&self) -> Option<usize> {
        self.observer
            .as_ref()
            .map(|observer| observer.tickets_made())
    }

    /// Why the last ticket that the client offered was declined, if the connection is
    /// [observed](super::Server::observed_connection) and the server knows.
    pub fn decline_reason(&self) -> Option<DeclineReason> {
        let resumed = self.facts.as_ref().is_some_and(|facts| facts.resumed);
        let observer = self.observer.as_ref().filter(|_| !resumed)?;
        observer.decline_reason()
    }

    /// The library's error, if the connection failed.
    pub fn failed(&self) -> Option<&str> {
        self.engine.failed()
    }

    /// Queues `close_notify`, after which nothing is sent.
    pub fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.engine.close();
        }
    }

    /// Whether the server has closed the connection, or it failed.
    pub fn is_closed(&self) -> bool {
        self.closed || self.failed().is_some()
    }

    /// Whether the client has sent `close_notify`.
    pub fn client_closed(&self) -> bool {
        self.engine.client_closed()
    }

    fn handshake(&self, negotiated: Negotiated) -> Handshake {
        let hello = self.hello.hello();
        let session_id = || {
            // The session id of a client of TLS 1.3 may be random, unless it was resumed.
            hello
                .filter(|_| negotiated.resumed)
                .map(|hello| &hello.session_id[..])
        };
        let ticket = hello.and_then(|hello| hello.offered()).or_else(session_id);
        Handshake {
            protocol: negotiated.protocol,
            resumed: negotiated.resumed,
            offered: ticket.is_some(),
            server_name: hello.and_then(|hello| hello.server_name.clone()),
            client_certificate: negotiated.client_leaf.is_some(),
            client_leaf: negotiated.client_leaf,
            early_data: negotiated.early_data,
            ticket: ticket.map(<[u8]>::to_vec),
            groups: hello.map(|hello| hello.groups.clone()).unwrap_or_default(),
            key_shares: hello
                .map(|hello| hello.key_shares.clone())
                .unwrap_or_default(),
            tls_exporter: self.engine.export("EXPORTER-Channel-Binding", Some(&[])),
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
