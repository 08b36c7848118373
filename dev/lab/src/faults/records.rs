//! Splits a byte stream into TLS records, and edits them.

const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const SERVER_HELLO: u8 = 2;

const HEADER: usize = 5;
/// The offset of the session id's length in a `ServerHello`: after two headers, version and random.
const SESSION_ID_LENGTH: usize = HEADER + 4 + 2 + 32;

/// A record of application data that no key decrypts.
pub(super) const GARBAGE: [u8; HEADER + 64] = {
    let mut record = [0xa5; HEADER + 64];
    record[0] = APPLICATION_DATA;
    record[1] = 3;
    record[2] = 3;
    record[3] = 0;
    record[4] = 64;
    record
};

/// Splits bytes into records. The last one may be incomplete.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = match rest {
            [_, _, _, high, low, ..] => HEADER + usize::from(u16::from_be_bytes([*high, *low])),
            _ => rest.len(),
        };
        let (record, after) = rest.split_at(whole.min(rest.len()));
        rest = after;
        Some(record)
    })
}

/// The length of the whole records at the beginning of `bytes`.
pub(super) fn whole(bytes: &[u8]) -> usize {
    let is_whole = |record: &&[u8]| match record {
        [_, _, _, high, low, rest @ ..] => {
            rest.len() == usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => false,
    };
    split(bytes).take_while(is_whole).map(<[u8]>::len).sum()
}

pub(super) fn is_change_cipher_spec(record: &[u8]) -> bool {
    record.first() == Some(&CHANGE_CIPHER_SPEC)
}

/// Whether a record has the type of application data, as every encrypted record of TLS 1.3 has.
pub(super) fn is_application_data(record: &[u8]) -> bool {
    record.first() == Some(&APPLICATION_DATA)
}

pub(super) fn is_server_hello(record: &[u8]) -> bool {
    record.first() == Some(&HANDSHAKE)
        && record.get(HEADER) == Some(&SERVER_HELLO)
        && record.len() > SESSION_ID_LENGTH
}

/// Replaces the cipher suite of a `ServerHello`.
pub(super) fn set_cipher(record: &mut [u8], cipher: u16) {
    let at = SESSION_ID_LENGTH + 1 + usize::from(record[SESSION_ID_LENGTH]);
    if let Some(suite) = record.get_mut(at..at + 2) {
        suite.copy_from_slice(&cipher.to_be_bytes());
    }
}

/// Replaces the session id of a `ServerHello`, and corrects the lengths of the record and message.
pub(super) fn set_session_id(record: &mut Vec<u8>, id: &[u8]) {
    let old = usize::from(record[SESSION_ID_LENGTH]);
    let first = SESSION_ID_LENGTH + 1;
    let new = u8::try_from(id.len()).expect("a session id has 32 bytes at most");
    record[SESSION_ID_LENGTH] = new;
    record.splice(first..first + old, id.iter().copied());
    // The record's length has two bytes, the message's three, the first of which is zero.
    for at in [3, HEADER + 2] {
        let length = u16::from_be_bytes([record[at], record[at + 1]]);
        let old = u16::try_from(old).expect("one byte");
        let length = length - old + u16::from(new);
        record[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `ServerHello` with a session id of 2 bytes and nothing after its cipher suite.
    fn server_hello() -> Vec<u8> {
        let mut record = vec![HANDSHAKE, 3, 3, 0, 44, SERVER_HELLO, 0, 0, 40, 3, 3];
        record.extend([7; 32]);
        record.extend([2, 1, 2, 0x13, 0x01, 0]);
        record
    }

    #[test]
    fn bytes_are_split_into_records() {
        let hello = server_hello();
        let bytes = [&hello[..], &GARBAGE, &[22, 3, 3]].concat();
        let records: Vec<_> = split(&bytes).collect();
        assert_eq!(records, [&hello[..], &GARBAGE, &[22, 3, 3]]);
        assert!(is_server_hello(records[0]) && is_application_data(records[1]));
        assert_eq!(whole(&bytes), bytes.len() - 3);
        assert_eq!(whole(&bytes[..bytes.len() - 4]), hello.len());
    }

    #[test]
    fn an_edited_server_hello_is_well_formed() {
        let mut record = server_hello();
        set_session_id(&mut record, &[9; 32]);
        set_cipher(&mut record, 0xc02c);
        assert_eq!((record[4], record[8]), (74, 70));
        assert_eq!(record.len(), HEADER + 74);
        assert_eq!(record[SESSION_ID_LENGTH + 33..], [0xc0, 0x2c, 0]);
    }
}
