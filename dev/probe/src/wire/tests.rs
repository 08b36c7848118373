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

/// A server's TLS 1.2 handshake: several messages in a record, and one over two records.
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

fn read(bytes: &[u8]) -> Cleartext {
    let mut reader = WireReader::default();
    reader.receive(bytes);
    reader.cleartext
}

#[test]
fn a_tls12_ticket_has_a_lifetime_hint() {
    let cleartext = read(&tls12(&ticket(7_200, 192)));
    assert_eq!(cleartext.version, Some(TLS12));
    assert!(cleartext.has_session_id);
    assert_eq!(cleartext.ticket_lifetime_hint, Some(7_200));
    assert_eq!((cleartext.alert, cleartext.not_tls), (None, None));
    // An empty ticket is none.
    assert_eq!(read(&tls12(&ticket(7_200, 0))).ticket_lifetime_hint, None);
}

#[test]
fn a_certificate_request_is_seen() {
    let request = [CERTIFICATE_REQUEST, 0, 0, 4, 1, 1, 0, 0];
    let sent = [
        record(HANDSHAKE, &hello(TLS12, &[], &[])),
        record(HANDSHAKE, &request),
        record(ALERT, &[2, 42]),
    ];
    let cleartext = read(&sent.concat());
    assert!(cleartext.certificate_request);
    assert_eq!(cleartext.alert, Some(42));
}

#[test]
fn of_tls13_only_the_version_is_in_the_clear() {
    let extensions = [0, 51, 0, 2, 0, 29, 0, 43, 0, 2, 3, 4];
    let sent = [
        record(HANDSHAKE, &hello(TLS12, &[1; 32], &extensions)),
        record(CHANGE_CIPHER_SPEC, &[1]),
        record(HANDSHAKE, &ticket(1, 1)),
    ];
    let cleartext = read(&sent.concat());
    let only = Cleartext {
        is_tls: true,
        version: Some(TLS13),
        ..Cleartext::default()
    };
    assert_eq!(cleartext, only);
}

#[test]
fn old_versions_and_alerts_are_seen() {
    assert_eq!(
        read(&record(HANDSHAKE, &hello(0x0301, &[], &[]))).version,
        Some(0x0301)
    );
    assert_eq!(read(&record(ALERT, &[2, 70])).alert, Some(70));
}

#[test]
fn an_answer_other_than_tls_is_kept_in_part() {
    for sent in [
        &b"220 mail.example ESMTP"[..],
        b"\x16\x01\x00",
        b"\x15\x03\x03\xff\xff",
    ] {
        assert_eq!(read(sent).not_tls.as_deref(), Some(sent));
    }
    assert_eq!(read(&[b'x'; 500]).not_tls.unwrap().len(), MAX_NOT_TLS);
    // After a record it only ends the cleartext.
    let sent = [&record(HANDSHAKE, &hello(TLS12, &[], &[]))[..], b"HTTP/1.1"].concat();
    assert_eq!(read(&sent).not_tls, None);
}

/// A server's handshake with some bytes changed, cut off somewhere.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let sent = tls12(&ticket(60, 50));
    let changes = prop::collection::vec((0..sent.len(), any::<u8>()), 0..6);
    (changes, 0..sent.len()).prop_map(move |(changes, end)| {
        let mut bytes = sent.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(end);
        bytes
    })
}

proptest! {
    /// Any input, in parts of any size, gives the same cleartext; little of it is kept.
    #[test]
    fn the_size_of_parts_does_not_matter(
        bytes in prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..2_000)],
        cuts in prop::collection::vec(1_usize..400, 0..40),
    ) {
        let mut reader = WireReader::default();
        let mut rest = &bytes[..];
        for cut in cuts.iter().chain([&1; 64]) {
            let (part, after) = rest.split_at((*cut).min(rest.len()));
            reader.receive(part);
            rest = after;
        }
        reader.receive(rest);
        prop_assert_eq!(&reader.cleartext, &read(&bytes));
        prop_assert!(reader.message.body.len() <= MAX_MESSAGE);
        prop_assert!(reader.record_header.len() <= RECORD_HEADER);
    }
}
