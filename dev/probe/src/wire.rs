//! What a server says in the clear, whichever library listens.
//!
//! The first message of a server, its alerts until keys are agreed on, and the ticket of TLS 1.2 are
//! not encrypted. So they can be read on their way: libraries keep some of it to themselves, and
//! explain a failed handshake each in its own words.

use std::mem;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE_REQUEST: u8 = 13;
const SUPPORTED_VERSIONS: u16 = 43;

/// The version numbers on the wire.
pub(crate) const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// The longest record, with what encryption may add.
const LONGEST_RECORD: usize = (1 << 14) + 2_048;
/// How much of a message is kept: what is read of a `ServerHello` stands before this.
const KEPT: usize = 4_096;
/// How much is kept of an answer that is no TLS.
const SAMPLE: usize = 60;

/// What was heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The version that the server chose.
    pub(crate) version: Option<u16>,
    /// Whether it gave, or confirmed, a session id: in TLS 1.2, where that means something.
    pub(crate) session_id: bool,
    /// The seconds that a ticket of TLS 1.2 lives, if one came; 0 if the server does not say.
    pub(crate) ticket: Option<u32>,
    /// Whether it asked for the client's certificate: in TLS 1.2, where that can be seen.
    pub(crate) wants_certificate: bool,
    /// The number of an alert.
    pub(crate) alert: Option<u8>,
    /// The beginning of an answer that is not TLS.
    pub(crate) plain: Option<Vec<u8>>,
}

/// Listens to a server, in pieces of any size. Nothing that it says can make this fail, or take
/// more than a few kilobytes.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    heard: Heard,
    phase: Phase,
    /// The header of a record, as far as it has come.
    header: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
    message: Message,
    alert: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing tells yet that this is TLS.
    #[default]
    First,
    Records,
    Plain,
    /// What follows is encrypted, or nonsense.
    Over,
}

/// A handshake message, as far as it has come.
#[derive(Debug, Default)]
struct Message {
    header: Vec<u8>,
    body: Vec<u8>,
    left: usize,
}

impl Wire {
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Takes what has arrived.
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.phase {
                Phase::Over => return,
                Phase::Plain => return self.keep_plain(bytes),
                Phase::First | Phase::Records if self.left == 0 => self.record_header(bytes),
                Phase::First | Phase::Records => self.record_body(bytes),
            };
        }
    }

    fn record_header<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let rest = fill(&mut self.header, RECORD_HEADER, bytes);
        let first = self.phase == Phase::First;
        let foreign = match self.header[..] {
            [kind, ..] if first && kind != HANDSHAKE && kind != ALERT => true,
            [_, major, ..] if major != 3 => true,
            [_, _, _, a, b] => {
                let length = usize::from(u16::from_be_bytes([a, b]));
                self.left = length;
                length > LONGEST_RECORD
            }
            _ => return rest,
        };
        match (foreign, first) {
            (true, true) => {
                let sample = mem::take(&mut self.header);
                self.phase = Phase::Plain;
                self.keep_plain(&sample);
            }
            (true, false) => self.phase = Phase::Over,
            (false, _) if self.header.len() == RECORD_HEADER => {
                self.phase = Phase::Records;
                if !matches!(self.header[0], ALERT | HANDSHAKE) {
                    self.phase = Phase::Over; // a change of the cipher, or data: encrypted from here on
                } else if self.left == 0 {
                    self.header.clear();
                }
            }
            (false, _) => {}
        }
        rest
    }

    fn record_body<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
        self.left -= part.len();
        let kind = self.header[0];
        if self.left == 0 {
            self.header.clear();
        }
        match kind {
            ALERT => {
                fill(&mut self.alert, 2, part);
                if let [_, number] = self.alert[..] {
                    self.heard.alert = Some(number);
                    self.phase = Phase::Over;
                }
            }
            _ => self.handshake(part),
        }
        rest
    }

    fn handshake(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.phase == Phase::Records {
            let message = &mut self.message;
            if message.header.len() < MESSAGE_HEADER {
                bytes = fill(&mut message.header, MESSAGE_HEADER, bytes);
                if let [_, a, b, c] = message.header[..] {
                    message.left = u32::from_be_bytes([0, a, b, c]) as usize;
                }
            } else {
                let (part, rest) = bytes.split_at(message.left.min(bytes.len()));
                message.left -= part.len();
                if matches!(message.header[0], SERVER_HELLO | NEW_SESSION_TICKET) {
                    fill(&mut message.body, KEPT, part);
                }
                bytes = rest;
            }
            if self.message.header.len() == MESSAGE_HEADER && self.message.left == 0 {
                let message = mem::take(&mut self.message);
                self.understand(message.header[0], &message.body);
            }
        }
    }

    fn understand(&mut self, kind: u8, body: &[u8]) {
        match kind {
            SERVER_HELLO => {
                let Some(hello) = server_hello(body) else {
                    self.phase = Phase::Over;
                    return;
                };
                self.heard.version = Some(hello.version);
                if hello.version >= TLS13 {
                    self.phase = Phase::Over;
                } else {
                    self.heard.session_id = hello.has_session_id;
                }
            }
            NEW_SESSION_TICKET => {
                if let [a, b, c, d, length @ ..] = body
                    && length.get(..2).is_some_and(|length| length != [0, 0])
                {
                    self.heard.ticket = Some(u32::from_be_bytes([*a, *b, *c, *d]));
                }
            }
            CERTIFICATE_REQUEST => self.heard.wants_certificate = true,
            _ => {}
        }
    }

    fn keep_plain(&mut self, bytes: &[u8]) {
        fill(self.heard.plain.get_or_insert_default(), SAMPLE, bytes);
    }
}

/// Moves bytes until `target` has `length` of them; what is left.
fn fill<'b>(target: &mut Vec<u8>, length: usize, bytes: &'b [u8]) -> &'b [u8] {
    let room = length.saturating_sub(target.len()).min(bytes.len());
    let (part, rest) = bytes.split_at(room);
    target.extend_from_slice(part);
    rest
}

struct ServerHello {
    version: u16,
    has_session_id: bool,
}

fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let (version, rest) = body.split_first_chunk::<2>()?;
    let (_random, rest) = rest.split_at_checked(32)?;
    let (id_length, rest) = rest.split_first()?;
    let (_id, rest) = rest.split_at_checked(usize::from(*id_length))?;
    let (_cipher_and_compression, rest) = rest.split_at_checked(3)?;
    let version = rest
        .split_first_chunk::<2>()
        .and_then(|(_length, extensions)| chosen_version(extensions))
        .unwrap_or_else(|| u16::from_be_bytes(*version));
    Some(ServerHello {
        version,
        has_session_id: *id_length > 0,
    })
}

/// What the extension says whose word counts since TLS 1.3.
fn chosen_version(mut extensions: &[u8]) -> Option<u16> {
    loop {
        let (kind, rest) = extensions.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (content, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if u16::from_be_bytes(*kind) == SUPPORTED_VERSIONS {
            return Some(u16::from_be_bytes(content.try_into().ok()?));
        }
        extensions = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANGE_CIPHER_SPEC: u8 = 20;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3], &length[..], content].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    fn hello(version: u16, id: &[u8], extensions: &[u8]) -> Vec<u8> {
        let body = [
            &version.to_be_bytes()[..],
            &[7; 32],
            &[u8::try_from(id.len()).unwrap()],
            id,
            &[0x13, 1, 0],
            &u16::try_from(extensions.len()).unwrap().to_be_bytes(),
            extensions,
        ];
        message(SERVER_HELLO, &body.concat())
    }

    fn ticket(lifetime: u32, length: u16) -> Vec<u8> {
        let filler = vec![5; usize::from(length)];
        let body = [&lifetime.to_be_bytes()[..], &length.to_be_bytes(), &filler];
        message(NEW_SESSION_TICKET, &body.concat())
    }

    /// A whole answer of TLS 1.2: several messages a record, one over two records.
    fn tls12(ticket: &[u8]) -> Vec<u8> {
        let certificate = message(11, &[9; 3_000]);
        [
            record(
                HANDSHAKE,
                &[&hello(TLS12, &[1; 32], &[])[..], &certificate[..100]].concat(),
            ),
            record(HANDSHAKE, &certificate[100..]),
            record(HANDSHAKE, ticket),
            record(CHANGE_CIPHER_SPEC, &[1]),
            record(HANDSHAKE, &[0xff; 40]),
        ]
        .concat()
    }

    fn listen(pieces: &[&[u8]]) -> Heard {
        let mut wire = Wire::default();
        for piece in pieces {
            wire.hear(piece);
        }
        wire.heard.clone()
    }

    #[test]
    fn a_ticket_of_tls12_shows_its_lifetime() {
        let heard = listen(&[&tls12(&ticket(7_200, 192))]);
        assert_eq!(heard.version, Some(TLS12));
        assert!(heard.session_id);
        assert_eq!(heard.ticket, Some(7_200));
        assert_eq!((heard.alert, heard.plain), (None, None));
        // An empty one is the server's way to say that it has none after all.
        assert_eq!(listen(&[&tls12(&ticket(7_200, 0))]).ticket, None);
    }

    #[test]
    fn a_certificate_is_asked_for() {
        let request = [CERTIFICATE_REQUEST, 0, 0, 4, 1, 1, 0, 0];
        let said = [
            record(HANDSHAKE, &hello(TLS12, &[], &[])),
            record(HANDSHAKE, &request),
            record(ALERT, &[2, 42]),
        ];
        let heard = listen(&[&said.concat()]);
        assert!(heard.wants_certificate);
        assert_eq!(heard.alert, Some(42));
    }

    #[test]
    fn tls13_says_its_version_and_nothing_more() {
        let extensions = [0, 51, 0, 2, 0, 29, 0, 43, 0, 2, 3, 4];
        let said = [
            record(HANDSHAKE, &hello(TLS12, &[1; 32], &extensions)),
            record(CHANGE_CIPHER_SPEC, &[1]),
            record(HANDSHAKE, &ticket(1, 1)),
        ];
        let heard = listen(&[&said.concat()]);
        let only = Heard {
            version: Some(TLS13),
            ..Heard::default()
        };
        assert_eq!(heard, only);
    }

    #[test]
    fn an_old_server_and_an_alert() {
        assert_eq!(
            listen(&[&record(HANDSHAKE, &hello(0x0301, &[], &[]))]).version,
            Some(0x0301)
        );
        assert_eq!(listen(&[&record(ALERT, &[2, 70])]).alert, Some(70));
    }

    #[test]
    fn what_is_no_tls_is_kept_in_part() {
        for said in [
            &b"220 mail.example ESMTP"[..],
            b"\x16\x01\x00",
            b"\x15\x03\x03\xff\xff",
        ] {
            assert_eq!(listen(&[said]).plain.as_deref(), Some(said));
        }
        assert_eq!(listen(&[&[b'x'; 500]]).plain.unwrap().len(), SAMPLE);
        // Behind a record it is only the end of what can be read.
        let said = [&record(HANDSHAKE, &hello(TLS12, &[], &[]))[..], b"HTTP/1.1"].concat();
        assert_eq!(listen(&[&said]).plain, None);
    }

    /// Bytes that begin as a server's would, and are changed somewhere.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let good = tls12(&ticket(60, 50));
        let changes = prop::collection::vec((0..good.len(), any::<u8>()), 0..6);
        (changes, 0..good.len()).prop_map(move |(changes, end)| {
            let mut bytes = good.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(end);
            bytes
        })
    }

    proptest! {
        /// Whatever comes, in whatever pieces: the same is heard, and little is kept.
        #[test]
        fn pieces_do_not_matter(
            bytes in prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..2_000)],
            cuts in prop::collection::vec(1_usize..400, 0..40),
        ) {
            let mut wire = Wire::default();
            let mut rest = &bytes[..];
            for cut in cuts.iter().chain([&1; 64]) {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                wire.hear(piece);
                rest = after;
            }
            wire.hear(rest);
            prop_assert_eq!(&wire.heard, &listen(&[&bytes]));
            prop_assert!(wire.message.body.len() <= KEPT);
            prop_assert!(wire.header.len() <= RECORD_HEADER);
        }
    }
}
