//! Reads from a `ClientHello` what a client offers for resumption.
//!
//! The libraries report whether a server accepted a session, and not whether the client offered
//! one. The first message shows that, whichever library the server runs on.

use std::fmt;

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const TLS13: u16 = 0x0304;
const HOST_NAME: u8 = 0;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// The parts of a `ClientHello` that matter for resumption.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host name of the `server_name` extension.
    pub server_name: Option<String>,
    /// The legacy session id. Clients of TLS 1.3 fill it with random bytes (compatibility mode).
    pub session_id: Vec<u8>,
    /// The `session_ticket` extension of TLS 1.2: `Some(empty)` asks for a ticket.
    pub session_ticket: Option<Vec<u8>>,
    /// The identities of the `pre_shared_key` extension: tickets of TLS 1.3.
    pub psk_identities: Vec<Vec<u8>>,
    /// Whether the client announces early data.
    pub early_data: bool,
    /// Whether TLS 1.3 is among the supported versions.
    pub tls13: bool,
    /// The key-exchange groups, in the client's order (numbers of IANA's registry).
    pub groups: Vec<u16>,
    /// The groups with a key share.
    pub key_shares: Vec<u16>,
}

/// Why bytes cannot be parsed as a [`ClientHello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The message is incomplete.
    Incomplete,
    /// The bytes are not a `ClientHello`.
    Malformed,
}

impl ClientHello {
    /// Parses the first message of a connection from its TLS records, and ignores what follows it.
    pub fn parse(records: &[u8]) -> Result<Self, Unreadable> {
        let message = first_message(records)?;
        Self::parse_body(&message).ok_or(Unreadable::Malformed)
    }

    /// The identifier of the session that the client offers: the first PSK identity, the ticket,
    /// or the session id.
    ///
    /// The session id of a client that supports TLS 1.3 is ignored, since it may be random bytes.
    /// So a TLS 1.2 session that such a client offers by its id is not detected.
    pub fn offered(&self) -> Option<&[u8]> {
        let psk = self.psk_identities.first();
        let ticket = self
            .session_ticket
            .as_ref()
            .filter(|ticket| !ticket.is_empty());
        let id = Some(&self.session_id).filter(|id| !id.is_empty() && !self.tls13);
        psk.or(ticket).or(id).map(Vec::as_slice)
    }

    fn parse_body(mut body: &[u8]) -> Option<Self> {
        let mut hello = Self::default();
        let _legacy_version = body.split_off(..2)?;
        let _random = body.split_off(..32)?;
        hello.session_id = short_vector(&mut body)?.to_vec();
        let _cipher_suites = vector(&mut body)?;
        let _compression_methods = short_vector(&mut body)?;
        if body.is_empty() {
            return Some(hello); // a hello without extensions
        }

        let mut extensions = vector(&mut body)?;
        while !extensions.is_empty() {
            let kind = number(&mut extensions)?;
            let content = vector(&mut extensions)?;
            match kind {
                SERVER_NAME => hello.server_name = host_name(content),
                SESSION_TICKET => hello.session_ticket = Some(content.to_vec()),
                PRE_SHARED_KEY => hello.psk_identities = psk_identities(content)?,
                EARLY_DATA => hello.early_data = true,
                SUPPORTED_VERSIONS => hello.tls13 = supports_tls13(content)?,
                SUPPORTED_GROUPS => hello.groups = groups(content)?,
                KEY_SHARE => hello.key_shares = key_shares(content)?,
                _ => {}
            }
        }
        body.is_empty().then_some(hello)
    }
}

/// Prints the number of tickets only: a ticket identifies a session.
impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello")
            .field("server_name", &self.server_name)
            .field("offered", &self.offered().is_some())
            .field("psk_identities", &self.psk_identities.len())
            .field("early_data", &self.early_data)
            .field("tls13", &self.tls13)
            .field("key_shares", &self.key_shares)
            .finish_non_exhaustive()
    }
}

/// Buffers the first bytes of a connection until they are a whole `ClientHello`.
#[derive(Debug)]
pub(crate) enum HelloReader {
    Pending(Vec<u8>),
    Parsed(ClientHello),
    Malformed,
}

impl Default for HelloReader {
    fn default() -> Self {
        Self::Pending(Vec::new())
    }
}

impl HelloReader {
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let Self::Pending(buffer) = self else { return };
        buffer.extend_from_slice(bytes);
        match ClientHello::parse(buffer) {
            Ok(hello) => *self = Self::Parsed(hello),
            Err(Unreadable::Incomplete) => {}
            Err(Unreadable::Malformed) => *self = Self::Malformed,
        }
    }

    /// Whether more bytes are needed.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending(_))
    }

    pub(crate) fn hello(&self) -> Option<&ClientHello> {
        match self {
            Self::Parsed(hello) => Some(hello),
            _ => None,
        }
    }
}

/// The body of the first handshake message, which may span several records.
fn first_message(mut records: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut message = Vec::new();
    loop {
        let kind = records.split_off_first().ok_or(Unreadable::Incomplete)?;
        if *kind != HANDSHAKE_RECORD {
            return Err(Unreadable::Malformed);
        }
        let _version = records.split_off(..2).ok_or(Unreadable::Incomplete)?;
        message.extend_from_slice(vector(&mut records).ok_or(Unreadable::Incomplete)?);

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

fn host_name(mut content: &[u8]) -> Option<String> {
    let mut names = vector(&mut content)?;
    loop {
        let kind = names.split_off_first()?;
        let name = vector(&mut names)?;
        if *kind == HOST_NAME {
            return String::from_utf8(name.to_vec()).ok();
        }
    }
}

fn psk_identities(mut content: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = vector(&mut content)?;
    let mut identities = Vec::new();
    while !list.is_empty() {
        identities.push(vector(&mut list)?.to_vec());
        let _obfuscated_age = list.split_off(..4)?;
    }
    Some(identities)
}

fn groups(mut content: &[u8]) -> Option<Vec<u16>> {
    let mut list = vector(&mut content)?;
    let mut groups = Vec::new();
    while !list.is_empty() {
        groups.push(number(&mut list)?);
    }
    Some(groups)
}

fn key_shares(mut content: &[u8]) -> Option<Vec<u16>> {
    let mut list = vector(&mut content)?;
    let mut groups = Vec::new();
    while !list.is_empty() {
        groups.push(number(&mut list)?);
        let _share = vector(&mut list)?;
    }
    Some(groups)
}

fn supports_tls13(mut content: &[u8]) -> Option<bool> {
    let mut versions = short_vector(&mut content)?.chunks_exact(2);
    Some(versions.any(|version| version == TLS13.to_be_bytes()))
}

/// Splits off a number of two bytes.
fn number(bytes: &mut &[u8]) -> Option<u16> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u16::from_be_bytes(*number))
}

/// Splits off a vector whose length takes two bytes.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    bytes.split_off(..usize::from(length))
}

/// Splits off a vector whose length takes one byte.
fn short_vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = bytes.split_off_first()?;
    bytes.split_off(..usize::from(*length))
}
