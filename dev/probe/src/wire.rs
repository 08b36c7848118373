//! Reads what a server sends in the clear: `ServerHello`, alerts before keys are agreed on, and the
//! `NewSessionTicket` of TLS 1.2.
//!
//! TLS libraries do not tell all of this, and each explains a failed handshake in its own words.
//!
//! The crate `tls-parser` does not join records or messages that arrive in parts, which is most of
//! this file; the rest, the fields of two messages, is not worth its ten further crates.

use std::mem;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE_REQUEST: u8 = 13;
const SUPPORTED_VERSIONS: u16 = 43;

/// Version numbers on the wire.
pub(crate) const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// The longest TLS 1.2 record: RFC 5246, section 6.2.3, allows encryption 2,048 bytes more.
const MAX_RECORD: usize = (1 << 14) + 2_048;
/// Bytes of a message that are kept; the fields that are read come earlier.
const MAX_MESSAGE: usize = 4_096;
/// Bytes of an answer other than TLS that are kept.
const MAX_NOT_TLS: usize = 60;

/// What a server has sent in the clear so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleartext {
    /// Whether a TLS record header arrived first.
    pub(crate) is_tls: bool,
    /// The version that the server chose.
    pub(crate) version: Option<u16>,
    /// Whether the server sent a session id. TLS 1.2 only: in TLS 1.3 it is an echo.
    pub(crate) has_session_id: bool,
    /// The lifetime hint in seconds of a TLS 1.2 ticket; 0 if the server leaves it open.
    pub(crate) ticket_lifetime_hint: Option<u32>,
    /// Whether the server requested a client certificate. TLS 1.2 only: it is encrypted in TLS 1.3.
    pub(crate) certificate_request: bool,
    /// The number of an alert.
    pub(crate) alert: Option<u8>,
    /// The beginning of an answer that is not TLS.
    pub(crate) not_tls: Option<Vec<u8>>,
}

/// Reads a server's bytes, in parts of any size. No input makes it fail, or use more than a few
/// kilobytes.
#[derive(Debug, Default)]
pub(crate) struct WireReader {
    cleartext: Cleartext,
    state: State,
    /// The part of a record header that has arrived.
    record_header: Vec<u8>,
    /// Bytes of the current record that are still to arrive.
    record_remaining: usize,
    message: Message,
    alert: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// No record header has arrived yet.
    #[default]
    Start,
    /// Records in the clear.
    Records,
    /// The answer is not TLS.
    NotTls,
    /// The rest is encrypted, or invalid.
    Done,
}

/// The part of a handshake message that has arrived.
#[derive(Debug, Default)]
struct Message {
    header: Vec<u8>,
    body: Vec<u8>,
    remaining: usize,
}

impl WireReader {
    pub(crate) fn cleartext(&self) -> &Cleartext {
        &self.cleartext
    }

    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                State::Done => return,
                State::NotTls => return self.keep_not_tls(bytes),
                State::Start | State::Records if self.record_remaining == 0 => {
                    self.read_record_header(&mut bytes);
                }
                State::Start | State::Records => self.read_record(&mut bytes),
            }
        }
    }

    fn read_record_header(&mut self, bytes: &mut &[u8]) {
        move_until(RECORD_HEADER, bytes, &mut self.record_header);
        let is_first = self.state == State::Start;
        // Judged byte by byte: an answer that is not TLS may be shorter than a header.
        let is_valid = match self.record_header[..] {
            [kind, ..] if is_first && kind != HANDSHAKE && kind != ALERT => false,
            [_, major, ..] if major != 3 => false,
            [_, _, _, a, b] => {
                self.record_remaining = usize::from(u16::from_be_bytes([a, b]));
                self.record_remaining <= MAX_RECORD
            }
            _ => return, // more of the header is to arrive
        };
        if is_valid {
            self.cleartext.is_tls = true;
            self.state = State::Records;
            if !matches!(self.record_header[0], ALERT | HANDSHAKE) {
                self.state = State::Done; // ChangeCipherSpec or data: the rest is encrypted
            } else if self.record_remaining == 0 {
                self.record_header.clear();
            }
        } else if is_first {
            self.state = State::NotTls;
            let header = mem::take(&mut self.record_header);
            self.keep_not_tls(&header);
        } else {
            self.state = State::Done;
        }
    }

    fn read_record(&mut self, bytes: &mut &[u8]) {
        let mut part = take_up_to(self.record_remaining, bytes);
        self.record_remaining -= part.len();
        let kind = self.record_header[0];
        if self.record_remaining == 0 {
            self.record_header.clear();
        }
        if kind == ALERT {
            move_until(2, &mut part, &mut self.alert);
            if let [_level, number] = self.alert[..] {
                self.cleartext.alert = Some(number);
                self.state = State::Done;
            }
        } else {
            self.read_messages(part);
        }
    }

    fn read_messages(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.state == State::Records {
            let message = &mut self.message;
            if message.header.len() < MESSAGE_HEADER {
                move_until(MESSAGE_HEADER, &mut bytes, &mut message.header);
                if let [_, a, b, c] = message.header[..] {
                    message.remaining = u32::from_be_bytes([0, a, b, c]) as usize;
                }
            } else {
                let mut part = take_up_to(message.remaining, &mut bytes);
                message.remaining -= part.len();
                if matches!(message.header[0], SERVER_HELLO | NEW_SESSION_TICKET) {
                    move_until(MAX_MESSAGE, &mut part, &mut message.body);
                }
            }
            if self.message.header.len() == MESSAGE_HEADER && self.message.remaining == 0 {
                let message = mem::take(&mut self.message);
                self.read_message(message.header[0], &message.body);
            }
        }
    }

    fn read_message(&mut self, kind: u8, body: &[u8]) {
        match kind {
            // A HelloRetryRequest is a ServerHello too, and names the version as well.
            SERVER_HELLO => {
                let Some(hello) = ServerHello::decode(body) else {
                    self.state = State::Done;
                    return;
                };
                self.cleartext.version = Some(hello.version);
                if hello.version >= TLS13 {
                    self.state = State::Done;
                } else {
                    self.cleartext.has_session_id = hello.has_session_id;
                }
            }
            // An empty ticket says that the server issues none after all: RFC 5077, section 3.3.
            NEW_SESSION_TICKET => {
                if let Some((hint, ticket)) = body.split_first_chunk()
                    && ticket.get(..2).is_some_and(|length| length != [0, 0])
                {
                    self.cleartext.ticket_lifetime_hint = Some(u32::from_be_bytes(*hint));
                }
            }
            CERTIFICATE_REQUEST => self.cleartext.certificate_request = true,
            _ => {}
        }
    }

    fn keep_not_tls(&mut self, mut bytes: &[u8]) {
        let kept = self.cleartext.not_tls.get_or_insert_default();
        move_until(MAX_NOT_TLS, &mut bytes, kept);
    }
}

/// Takes the first `length` bytes, or all if there are fewer.
fn take_up_to<'b>(length: usize, bytes: &mut &'b [u8]) -> &'b [u8] {
    let (part, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    part
}

/// Moves bytes to `target` until it has `length` of them.
fn move_until(length: usize, bytes: &mut &[u8], target: &mut Vec<u8>) {
    let missing = length.saturating_sub(target.len());
    target.extend_from_slice(take_up_to(missing, bytes));
}

struct ServerHello {
    version: u16,
    has_session_id: bool,
}

impl ServerHello {
    fn decode(body: &[u8]) -> Option<Self> {
        let (legacy_version, rest) = body.split_first_chunk()?;
        let (_random, rest) = rest.split_at_checked(32)?;
        let (id_length, rest) = rest.split_first()?;
        let (_session_id, rest) = rest.split_at_checked(usize::from(*id_length))?;
        let (_cipher_and_compression, rest) = rest.split_at_checked(3)?;
        let version = rest
            .split_first_chunk::<2>()
            .and_then(|(_length, extensions)| selected_version(extensions))
            .unwrap_or_else(|| u16::from_be_bytes(*legacy_version));
        Some(Self {
            version,
            has_session_id: *id_length > 0,
        })
    }
}

/// The `supported_versions` extension, which overrides `legacy_version`: RFC 8446, section 4.2.1.
fn selected_version(mut extensions: &[u8]) -> Option<u16> {
    loop {
        let (kind, rest) = extensions.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if u16::from_be_bytes(*kind) == SUPPORTED_VERSIONS {
            return Some(u16::from_be_bytes(content.try_into().ok()?));
        }
        extensions = rest;
    }
}

#[cfg(test)]
mod tests;
