//! A transport in memory that injects a fault into what the server sends.

use std::io::{self, ErrorKind, Read, Write};

use openssl::sha::sha256;

use super::records::{self, GARBAGE};
use crate::client_hello::{ClientHello, HelloReader};
use crate::server::{Protocol, Server, ServerConnection};

/// A fault of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The connection ends after the `ClientHello`.
    CloseAfterClientHello,
    /// The connection ends after the record with the `ServerHello`.
    CloseAfterServerHello,
    /// The last byte of the first encrypted record is wrong: of the server's `Finished` in TLS 1.2,
    /// of its `EncryptedExtensions` in TLS 1.3.
    Corrupt,
    /// The `ServerHello` names this cipher suite.
    OtherCipher(u16),
    /// The `ServerHello` pretends that the client's session is resumed, by that session's id: the
    /// one of the `ClientHello`, or the SHA-256 of a TLS 1.3 ticket, which is the id in OpenSSL.
    EchoedId,
    /// After the handshake comes a record that no key decrypts, and then the connection ends: after
    /// the first record with tickets in TLS 1.3, at the client's next read in TLS 1.2.
    GarbageAfterHandshake,
    /// The server receives a wrong last byte of the client's `Finished`, and answers by an alert: after
    /// the end of the handshake for the client, in TLS 1.3 and in a TLS 1.2 resumption.
    LateAlert,
}

/// Whether the fault has been injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    Injected,
    /// The fault is injected, and the connection has ended.
    Ended,
}

/// The client's end of a connection to a server on the same thread, like
/// [`InMemory`](crate::transport::InMemory), with a [`Fault`] in what the server sends.
///
/// Nothing blocks: a read yields what the server has sent so far, or [`ErrorKind::WouldBlock`].
#[derive(Debug)]
pub struct FaultyTransport {
    server: ServerConnection,
    fault: Fault,
    /// Whether the fault is injected only if the client offers a session.
    only_resumption: bool,
    hello: HelloReader,
    /// Whether the server has sent `ChangeCipherSpec`: its records are encrypted from then on.
    encrypting: bool,
    /// The same of the client.
    client_encrypts: bool,
    progress: Progress,
    inbound: Vec<u8>,
    read: usize,
}

impl FaultyTransport {
    /// Connects to a server with this fault.
    pub fn new(server: &Server, fault: Fault) -> Self {
        Self {
            server: server.connection(),
            fault,
            only_resumption: false,
            hello: HelloReader::default(),
            encrypting: false,
            client_encrypts: false,
            progress: Progress::Pending,
            inbound: Vec::new(),
            read: 0,
        }
    }

    /// Connects to a server with this fault, injected only if the client offers a session.
    ///
    /// If a client of both versions offers a TLS 1.2 session by its id, none is injected.
    pub fn on_resumption(server: &Server, fault: Fault) -> Self {
        Self {
            only_resumption: true,
            ..Self::new(server, fault)
        }
    }

    /// The server's end of the connection.
    pub fn server(&self) -> &ServerConnection {
        &self.server
    }

    fn is_injected(&self) -> bool {
        self.progress != Progress::Pending
    }

    fn has_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    /// The `ClientHello`, if the fault is to be injected for it.
    fn affected_hello(&self) -> Option<&ClientHello> {
        let hello = self.hello.hello()?;
        (!self.only_resumption || hello.offered().is_some()).then_some(hello)
    }

    fn fetch(&mut self) {
        self.inbound.clear();
        self.read = 0;
        let mut sent = Vec::new();
        self.server.send(&mut sent);
        if self.is_injected() || self.affected_hello().is_none() {
            self.inbound = sent;
            return;
        }
        if self.fault == Fault::CloseAfterClientHello {
            self.progress = Progress::Ended;
            return;
        }
        let finished = self.server.facts().map(|facts| facts.protocol);
        for record in records::split(&sent) {
            if self.has_ended() {
                return;
            }
            let record = self.edited(record);
            self.inbound.extend(record);
            if finished == Some(Protocol::Tls13) {
                self.add_garbage();
            }
        }
        // In a separate read, so that it is not a part of the handshake.
        if finished == Some(Protocol::Tls12) && sent.is_empty() {
            self.add_garbage();
        }
    }

    fn edited(&mut self, record: &[u8]) -> Vec<u8> {
        let mut record = record.to_vec();
        let encrypted = self.encrypting || records::is_application_data(&record);
        if records::is_change_cipher_spec(&record) {
            self.encrypting = true;
        } else if encrypted && self.fault == Fault::Corrupt && !self.is_injected() {
            if let Some(last) = record.last_mut() {
                *last ^= 1;
            }
            self.progress = Progress::Injected;
        }
        if self.encrypting || !records::is_server_hello(&record) {
            return record;
        }
        match self.fault {
            Fault::CloseAfterServerHello => self.progress = Progress::Ended,
            Fault::OtherCipher(cipher) => {
                records::set_cipher(&mut record, cipher);
                self.progress = Progress::Injected;
            }
            Fault::EchoedId => {
                if let Some(hello) = self.affected_hello() {
                    let ticket_id = hello.psk_identities.first().map(|ticket| sha256(ticket));
                    let id = ticket_id.map_or_else(|| hello.session_id.clone(), Vec::from);
                    records::set_session_id(&mut record, &id);
                    self.progress = Progress::Injected;
                }
            }
            _ => {}
        }
        record
    }

    /// What the server receives of the records that the client has written.
    fn received(&mut self, written: &[u8]) -> Vec<u8> {
        let mut received = Vec::with_capacity(written.len());
        let corrupts = self.fault == Fault::LateAlert && self.affected_hello().is_some();
        for record in records::split(written) {
            received.extend_from_slice(record);
            if corrupts && self.client_encrypts && !self.is_injected() {
                if let Some(last) = received.last_mut() {
                    *last ^= 1;
                }
                self.progress = Progress::Injected;
            }
            self.client_encrypts |= records::is_change_cipher_spec(record);
        }
        received
    }

    fn add_garbage(&mut self) {
        if self.fault == Fault::GarbageAfterHandshake && !self.has_ended() {
            self.inbound.extend(GARBAGE);
            self.progress = Progress::Ended;
        }
    }
}

impl Read for FaultyTransport {
    /// Reads what the server has sent: [`ErrorKind::WouldBlock`] while that is nothing, `Ok(0)` at
    /// the end of the connection.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.inbound.len() && !self.has_ended() {
            self.fetch();
        }
        let length = (&self.inbound[self.read..]).read(buffer)?;
        self.read += length;
        let ended = self.has_ended() || self.server.is_closed();
        if length == 0 && !buffer.is_empty() && !ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(length)
    }
}

impl Write for FaultyTransport {
    /// Passes the bytes to the server, which processes them at once. After the end of the
    /// connection they are lost, as in a socket whose other end has just been closed.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.hello.receive(buffer);
        if !self.has_ended() {
            let received = self.received(buffer);
            self.server.receive(&received);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
