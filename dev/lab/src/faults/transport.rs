//! A connection whose server's records are harmed on the way.

use std::io::{self, ErrorKind, Read, Write};

use openssl::sha::sha256;

use super::records::{self, GARBAGE};
use crate::client_hello::{ClientHello, FirstHello};
use crate::server::{Protocol, Server, ServerConnection};

/// What is done to the records of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends when the `ClientHello` has come.
    CloseAfterClientHello,
    /// The connection ends after the record with the `ServerHello`.
    CloseAfterServerHello,
    /// The first record that is encrypted has a wrong last byte: in TLS 1.2 that is the server's
    /// `Finished`, in TLS 1.3 its `EncryptedExtensions`.
    Corrupt,
    /// The `ServerHello` names this cipher suite.
    OtherCipher(u16),
    /// The `ServerHello` has the session id by which the client knows what it offered, as if that
    /// were resumed: the one of its `ClientHello`, or the SHA-256 of its TLS 1.3 ticket, which
    /// OpenSSL takes for the id.
    EchoedId,
    /// After the handshake comes a record that no key decrypts, and then the end: in TLS 1.3 after
    /// the first record with tickets, in TLS 1.2 when the client reads on.
    GarbageAfterHandshake,
}

/// How far the harm has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Done,
    /// It is done, and the connection is over.
    Ended,
}

/// The client's end of a connection to a server that runs inline, like
/// [`InMemory`](crate::transport::InMemory), with [`Fault`] done to what the server says.
///
/// Nothing ever waits: a read yields what there is by now, or [`ErrorKind::WouldBlock`].
#[derive(Debug)]
pub struct FaultyTransport {
    server: ServerConnection,
    harm: Fault,
    spares_full: bool,
    hello: FirstHello,
    encrypting: bool,
    progress: Progress,
    inbound: Vec<u8>,
    read: usize,
}

impl FaultyTransport {
    /// Connects to a server that does this harm to every client.
    pub fn new(server: &Server, harm: Fault) -> Self {
        Self {
            server: server.connection(),
            harm,
            spares_full: false,
            hello: FirstHello::default(),
            encrypting: false,
            progress: Progress::Waiting,
            inbound: Vec::new(),
            read: 0,
        }
    }

    /// Connects to a server that does this harm only where the client offers a session.
    ///
    /// A TLS 1.2 session that is offered by its id, by a client of both versions, goes unnoticed.
    pub fn to_resumption(server: &Server, harm: Fault) -> Self {
        Self {
            spares_full: true,
            ..Self::new(server, harm)
        }
    }

    /// The other end.
    pub fn server(&self) -> &ServerConnection {
        &self.server
    }

    fn is_done(&self) -> bool {
        self.progress != Progress::Waiting
    }

    fn has_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    /// The client's first message, if it is one that harm is done to.
    fn victim(&self) -> Option<&ClientHello> {
        let hello = self.hello.hello()?;
        (!self.spares_full || hello.offered().is_some()).then_some(hello)
    }

    fn fetch(&mut self) {
        self.inbound.clear();
        self.read = 0;
        let mut sent = Vec::new();
        self.server.send(&mut sent);
        if self.is_done() || self.victim().is_none() {
            self.inbound = sent;
            return;
        }
        if self.harm == Fault::CloseAfterClientHello {
            self.progress = Progress::Ended;
            return;
        }
        let finished = self.server.facts().map(|facts| facts.protocol);
        for record in records::split(&sent) {
            if self.has_ended() {
                return;
            }
            let record = self.harmed(record);
            self.inbound.extend(record);
            if finished == Some(Protocol::Tls13) {
                self.add_garbage();
            }
        }
        // In a read of its own, so that it cannot be taken for a part of the handshake.
        if finished == Some(Protocol::Tls12) && sent.is_empty() {
            self.add_garbage();
        }
    }

    fn harmed(&mut self, record: &[u8]) -> Vec<u8> {
        let mut record = record.to_vec();
        let encrypted = self.encrypting || records::is_application_data(&record);
        if records::is_change_cipher_spec(&record) {
            self.encrypting = true;
        } else if encrypted && self.harm == Fault::Corrupt && !self.is_done() {
            if let Some(last) = record.last_mut() {
                *last ^= 1;
            }
            self.progress = Progress::Done;
        }
        if self.encrypting || !records::is_server_hello(&record) {
            return record;
        }
        match self.harm {
            Fault::CloseAfterServerHello => self.progress = Progress::Ended,
            Fault::OtherCipher(cipher) => {
                records::set_cipher(&mut record, cipher);
                self.progress = Progress::Done;
            }
            Fault::EchoedId => {
                if let Some(hello) = self.victim() {
                    let of_ticket = hello.psk_identities.first().map(|one| sha256(one));
                    let id = of_ticket.map_or_else(|| hello.session_id.clone(), Vec::from);
                    records::set_session_id(&mut record, &id);
                    self.progress = Progress::Done;
                }
            }
            _ => {}
        }
        record
    }

    fn add_garbage(&mut self) {
        if self.harm == Fault::GarbageAfterHandshake && !self.has_ended() {
            self.inbound.extend(GARBAGE);
            self.progress = Progress::Ended;
        }
    }
}

impl Read for FaultyTransport {
    /// Reads what the server has sent: `Ok(0)` at the end, [`ErrorKind::WouldBlock`] while there
    /// is nothing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.inbound.len() && !self.has_ended() {
            self.fetch();
        }
        let length = (&self.inbound[self.read..]).read(buffer)?;
        self.read += length;
        let over = self.has_ended() || self.server.is_closed();
        if length == 0 && !buffer.is_empty() && !over {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(length)
    }
}

impl Write for FaultyTransport {
    /// Hands the bytes to the server, which acts on them at once. After the end they are lost, as
    /// they are in a socket whose other end has just been closed.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.hello.receive(buffer);
        if !self.has_ended() {
            self.server.receive(buffer);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
