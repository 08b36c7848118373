//! What a `ClientHello` says about resumption, read from the bytes on the wire.
//!
//! Servers tell whether a session was accepted, but not whether one was offered: a client that
//! offers nothing and a client whose offer is declined look the same to them. The difference is in
//! the first message, so it is read here, independently of either library.

use std::fmt;

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const TLS13: u16 = 0x0304;
const HOST_NAME: u8 = 0;

const SERVER_NAME: u16 = 0;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// The parts of a `ClientHello` that decide about resumption.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host name of the `server_name` extension.
    pub server_name: Option<String>,
    /// The legacy session id; random bytes in a TLS 1.3 client's compatibility mode.
    pub session_id: Vec<u8>,
    /// The `session_ticket` extension of TLS 1.2: `Some(empty)` asks for a ticket.
    pub session_ticket: Option<Vec<u8>>,
    /// The identities of the `pre_shared_key` extension: tickets of TLS 1.3.
    pub psk_identities: Vec<Vec<u8>>,
    /// Whether early data is announced.
    pub early_data: bool,
    /// Whether TLS 1.3 is among the supported versions.
    pub tls13: bool,
}

/// Why the bytes do not yield a [`ClientHello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The message is not complete yet.
    Incomplete,
    /// This is not a `ClientHello`.
    Malformed,
}

impl ClientHello {
    /// Reads the first message of a connection from its TLS records; later bytes are ignored.
    pub fn parse(records: &[u8]) -> Result<Self, Unreadable> {
        let message = first_message(records)?;
        Self::parse_body(&message).ok_or(Unreadable::Malformed)
    }

    /// The session that is offered, as the bytes that name it to the server: the first PSK
    /// identity, the ticket, or the session id.
    ///
    /// A client that speaks TLS 1.3 fills the session id with random bytes, so there it counts for
    /// nothing. (A client of both versions that offers a TLS 1.2 session by id goes unnoticed.)
    pub fn offered(&self) -> Option<&[u8]> {
        let psk = self.psk_identities.first();
        let ticket = self
            .session_ticket
            .as_ref()
            .filter(|ticket| !ticket.is_empty());
        let id = Some(&self.session_id).filter(|id| !id.is_empty() && !self.tls13);
        psk.or(ticket).or(id).map(Vec::as_slice)
    }

    fn parse_body(body: &[u8]) -> Option<Self> {
        let mut body = Reader(body);
        let mut hello = Self::default();
        let _legacy_version = body.take(2)?;
        let _random = body.take(32)?;
        let id_length = body.u8()?;
        hello.session_id = body.take(usize::from(id_length))?.to_vec();
        let _cipher_suites = body.prefixed()?;
        let compression_methods = body.u8()?;
        body.take(usize::from(compression_methods))?;
        if body.is_empty() {
            return Some(hello); // a hello without extensions
        }

        let mut extensions = Reader(body.prefixed()?);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let content = extensions.prefixed()?;
            match kind {
                SERVER_NAME => hello.server_name = host_name(content),
                SESSION_TICKET => hello.session_ticket = Some(content.to_vec()),
                PRE_SHARED_KEY => hello.psk_identities = psk_identities(content)?,
                EARLY_DATA => hello.early_data = true,
                SUPPORTED_VERSIONS => hello.tls13 = supports_tls13(content)?,
                _ => {}
            }
        }
        body.is_empty().then_some(hello)
    }
}

/// Tickets stand for sessions: only their number is printed.
impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello")
            .field("server_name", &self.server_name)
            .field("offered", &self.offered().is_some())
            .field("psk_identities", &self.psk_identities.len())
            .field("early_data", &self.early_data)
            .field("tls13", &self.tls13)
            .finish_non_exhaustive()
    }
}

/// Collects the first bytes of a connection until its `ClientHello` can be read.
#[derive(Debug, Default)]
pub(crate) enum FirstHello {
    #[default]
    Nothing,
    Partial(Vec<u8>),
    Read(ClientHello),
    Unreadable,
}

impl FirstHello {
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let buffer = match self {
            Self::Nothing => bytes.to_vec(),
            Self::Partial(buffer) => {
                buffer.extend_from_slice(bytes);
                std::mem::take(buffer)
            }
            Self::Read(_) | Self::Unreadable => return,
        };
        *self = match ClientHello::parse(&buffer) {
            Ok(hello) => Self::Read(hello),
            Err(Unreadable::Incomplete) => Self::Partial(buffer),
            Err(Unreadable::Malformed) => Self::Unreadable,
        };
    }

    /// Whether more bytes are needed to tell.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Nothing | Self::Partial(_))
    }

    pub(crate) fn hello(&self) -> Option<&ClientHello> {
        match self {
            Self::Read(hello) => Some(hello),
            _ => None,
        }
    }
}

/// The body of the first handshake message, put together from as many records as it takes.
fn first_message(records: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut records = Reader(records);
    let mut message = Vec::new();
    loop {
        let kind = records.u8().ok_or(Unreadable::Incomplete)?;
        if kind != HANDSHAKE_RECORD {
            return Err(Unreadable::Malformed);
        }
        records.take(2).ok_or(Unreadable::Incomplete)?;
        message.extend_from_slice(records.prefixed().ok_or(Unreadable::Incomplete)?);

        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(Unreadable::Malformed);
        }
        if let [_, a, b, c, rest @ ..] = &message[..] {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if let Some(body) = rest.get(..length) {
                return Ok(body.to_vec());
            }
        }
    }
}

fn host_name(content: &[u8]) -> Option<String> {
    let mut names = Reader(Reader(content).prefixed()?);
    loop {
        let kind = names.u8()?;
        let name = names.prefixed()?;
        if kind == HOST_NAME {
            return String::from_utf8(name.to_vec()).ok();
        }
    }
}

fn psk_identities(content: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader(Reader(content).prefixed()?);
    let mut identities = Vec::new();
    while !list.is_empty() {
        identities.push(list.prefixed()?.to_vec());
        let _obfuscated_age = list.take(4)?;
    }
    Some(identities)
}

fn supports_tls13(content: &[u8]) -> Option<bool> {
    let mut content = Reader(content);
    let length = content.u8()?;
    let versions = content.take(usize::from(length))?;
    Some(
        versions
            .chunks_exact(2)
            .any(|version| version == TLS13.to_be_bytes()),
    )
}

/// A cursor over bytes; every step is bounds-checked.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A vector with a length of two bytes before it.
    fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}
