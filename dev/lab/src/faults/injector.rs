//! Injects a fault into the TLS records of one connection.

use openssl::sha::sha256;

use super::records::{self, GARBAGE};
use crate::client_hello::{ClientHello, HelloReader};
use crate::server::Protocol;

/// A fault of the server, or of a middlebox before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The connection ends after the `ClientHello`.
    CloseAfterClientHello,
    /// The connection ends after the record with the `ServerHello`.
    CloseAfterServerHello,
    /// Nothing comes after the `ClientHello`, and the connection stays open.
    Silence,
    /// The connection ends after so many bytes if the `ClientHello` is longer: a middlebox that
    /// reads it in one piece.
    CloseLongHello(usize),
    /// The last byte of the first encrypted record is wrong: of the server's `Finished` in TLS 1.2,
    /// of its `EncryptedExtensions` in TLS 1.3.
    Corrupt,
    /// The `ServerHello` names this cipher suite.
    OtherCipher(u16),
    /// The `ServerHello` pretends that the client's session is resumed, by that session's id: the
    /// one of the `ClientHello`, or the SHA-256 of a TLS 1.3 ticket, which is the id in OpenSSL.
    EchoedId,
    /// After the handshake comes a record that no key decrypts, and then the connection ends: after
    /// the first record with tickets in TLS 1.3, at the client's next read in TLS 1.2. Not by a
    /// [`FaultyProxy`](super::FaultyProxy), which does not see the end of a handshake.
    GarbageAfterHandshake,
    /// The server receives a wrong last byte of the client's `Finished`, and answers by an alert: after
    /// the end of the handshake for the client, in TLS 1.3 and in a TLS 1.2 resumption.
    LateAlert,
    /// The connection ends instead of the client's `Finished`, without an alert.
    LateClose,
}

/// Whether the fault has been injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    Injected,
    /// The fault is injected, and the connection has ended.
    Ended,
}

/// Edits what the two ends send.
#[derive(Debug)]
pub(super) struct Injector {
    fault: Fault,
    /// Whether the fault is injected only if the client offers a session.
    only_resumption: bool,
    hello: HelloReader,
    /// How many bytes the client has sent up to the end of its `ClientHello`.
    hello_bytes: usize,
    /// Whether the server has sent `ChangeCipherSpec`: its records are encrypted from then on.
    encrypting: bool,
    /// The same of the client.
    client_encrypts: bool,
    progress: Progress,
}

impl Injector {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            only_resumption: false,
            hello: HelloReader::default(),
            hello_bytes: 0,
            encrypting: false,
            client_encrypts: false,
            progress: Progress::Pending,
        }
    }

    /// Injects the fault only if the client offers a session. A long `ClientHello` is long with and
    /// without one.
    pub(super) fn on_resumption(fault: Fault) -> Self {
        Self {
            only_resumption: true,
            ..Self::new(fault)
        }
    }

    /// What the server receives of the records that the client has written: nothing after the end
    /// of the connection.
    pub(super) fn client_sent(&mut self, written: &[u8]) -> Vec<u8> {
        self.read_hello(written);
        if self.has_ended() {
            return Vec::new();
        }
        let affected = self.affected_hello().is_some();
        let corrupts = self.fault == Fault::LateAlert && affected;
        let closes = self.fault == Fault::LateClose && affected;
        let mut received = Vec::with_capacity(written.len());
        for record in records::split(written) {
            if closes && self.client_encrypts {
                self.progress = Progress::Ended;
                return received;
            }
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

    fn read_hello(&mut self, written: &[u8]) {
        if !self.hello.is_pending() {
            return;
        }
        let limit = match self.fault {
            Fault::CloseLongHello(limit) => limit,
            _ => usize::MAX,
        };
        let fitting = written.len().min(limit - self.hello_bytes);
        self.hello_bytes += fitting;
        self.hello.receive(&written[..fitting]);
        if self.hello.is_pending() && self.hello_bytes == limit {
            self.progress = Progress::Ended;
        }
        if self.fault == Fault::CloseAfterClientHello && self.affected_hello().is_some() {
            self.progress = Progress::Ended;
        }
    }

    /// Whether the client is to see nothing more, and no end either.
    pub(super) fn is_silent(&self) -> bool {
        self.fault == Fault::Silence && self.affected_hello().is_some()
    }

    /// Whether the connection has ended: nothing more is sent.
    pub(super) fn has_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    fn is_injected(&self) -> bool {
        self.progress != Progress::Pending
    }

    /// The `ClientHello`, if the fault is to be injected for it.
    fn affected_hello(&self) -> Option<&ClientHello> {
        let hello = self.hello.hello()?;
        (!self.only_resumption || hello.offered().is_some()).then_some(hello)
    }

    /// What the client receives of the records `sent`. `finished` is the version once the server
    /// has completed the handshake.
    pub(super) fn inject(&mut self, sent: &[u8], finished: Option<Protocol>) -> Vec<u8> {
        if self.has_ended() {
            return Vec::new();
        }
        if self.is_injected() || self.affected_hello().is_none() {
            return sent.to_vec();
        }
        if self.is_silent() {
            return Vec::new();
        }
        let mut received = Vec::new();
        for record in records::split(sent) {
            if self.has_ended() {
                return received;
            }
            received.extend(self.edited(record));
            if finished == Some(Protocol::Tls13) {
                self.add_garbage(&mut received);
            }
        }
        // In a separate read, so that it is not a part of the handshake.
        if finished == Some(Protocol::Tls12) && sent.is_empty() {
            self.add_garbage(&mut received);
        }
        received
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

    fn add_garbage(&mut self, received: &mut Vec<u8>) {
        if self.fault == Fault::GarbageAfterHandshake && !self.has_ended() {
            received.extend(GARBAGE);
            self.progress = Progress::Ended;
        }
    }
}
