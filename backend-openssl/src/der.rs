//! Cuts the peer's certificate out of a session's DER, and puts it back.
//!
//! OpenSSL encodes a session as a `SEQUENCE` whose optional fields have context tags in ascending
//! order; the peer's certificate is field 3. It is most of the bytes, and the same in all sessions of
//! a server.
//!
//! Parsed by hand to cut the bytes without decoding them: a DER crate would copy the secrets.

use zeroize::Zeroizing;

const SEQUENCE: u8 = 0x30;
/// The class of an optional field's tag.
const CONTEXT: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
/// The bits of a tag that are its number.
const NUMBER: u8 = 0x1f;
/// The number of the peer's certificate.
const CERTIFICATE: u8 = 3;

/// The fields of an encoded session.
pub(crate) struct Fields<'a> {
    before: &'a [u8],
    /// The peer's certificate.
    pub(crate) certificate: Option<&'a [u8]>,
    after: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the fields of a session. `None` if OpenSSL cannot have encoded it. The contents of the
    /// fields are not checked.
    pub(crate) fn read(mut session: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, fields) = read_element(&mut session)? else {
            return None;
        };
        if !session.is_empty() {
            return None;
        }
        let mut last = None;
        let mut certificate = None;
        // The range of the certificate's field; without one, the empty range at its position.
        let (mut start, mut end) = (fields.len(), fields.len());
        let mut rest = fields;
        while !rest.is_empty() {
            let position = fields.len() - rest.len();
            let (tag, content) = read_element(&mut rest)?;
            let number = number(tag);
            if number < last || (number == last && number.is_some()) {
                return None; // out of order, or repeated
            }
            if last < Some(CERTIFICATE) && number >= Some(CERTIFICATE) {
                start = position;
                end = position;
            }
            if number == Some(CERTIFICATE) {
                if tag & CONSTRUCTED == 0 {
                    return None;
                }
                certificate = Some(content);
                end = fields.len() - rest.len();
            }
            last = number;
        }
        Some(Self {
            before: &fields[..start],
            certificate,
            after: &fields[end..],
        })
    }

    /// Encodes the session with this certificate, or without one. Capacity equals length.
    pub(crate) fn write(&self, certificate: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
        let field = certificate.map_or(0, |der| header_len(der.len()) + der.len());
        let fields = self.before.len() + field + self.after.len();
        // A vector that grows leaves a copy of the secrets in freed memory.
        let mut out = Zeroizing::new(Vec::with_capacity(header_len(fields) + fields));
        write_header(&mut out, SEQUENCE, fields);
        out.extend_from_slice(self.before);
        if let Some(certificate) = certificate {
            write_header(
                &mut out,
                CONTEXT | CONSTRUCTED | CERTIFICATE,
                certificate.len(),
            );
            out.extend_from_slice(certificate);
        }
        out.extend_from_slice(self.after);
        out
    }
}

/// The number of an optional field. `None` for any other element.
fn number(tag: u8) -> Option<u8> {
    (tag & 0xc0 == CONTEXT).then_some(tag & NUMBER)
}

/// Reads the next element: its tag and its content.
fn read_element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let tag = *rest.split_off_first()?;
    if tag & NUMBER == NUMBER {
        return None; // a number of several bytes: a session has no such field
    }
    let first = *rest.split_off_first()?;
    let len = if first < 0x80 {
        usize::from(first)
    } else {
        let digits = rest.split_off(..usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > size_of::<u32>() {
            return None;
        }
        let len = digits
            .iter()
            .fold(0_usize, |len, digit| len << 8 | usize::from(*digit));
        // DER: the shortest form only.
        if header_len(len) != 2 + digits.len() {
            return None;
        }
        len
    };
    Some((tag, rest.split_off(..len)?))
}

/// Bytes of a tag and a length.
fn header_len(len: usize) -> usize {
    if len < 0x80 { 2 } else { 2 + digits(len) }
}

fn write_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    let bytes = len.to_be_bytes();
    let digits = digits(len);
    if let [short @ ..0x80] = bytes[bytes.len() - digits..] {
        out.push(short);
    } else {
        // `digits` is at most 8.
        out.push(0x80 | u8::try_from(digits).unwrap_or_default());
        out.extend_from_slice(&bytes[bytes.len() - digits..]);
    }
}

/// Bytes of a length without leading zeros, at least one.
fn digits(len: usize) -> usize {
    let zeros = len.to_be_bytes().into_iter().take_while(|byte| *byte == 0);
    (size_of::<usize>() - zeros.count()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element_of(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(&mut out, tag, content.len());
        out.extend_from_slice(content);
        out
    }

    fn session(fields: &[Vec<u8>]) -> Vec<u8> {
        element_of(SEQUENCE, &fields.concat())
    }

    /// With certificates and sessions of each length of the length field.
    #[test]
    fn a_certificate_taken_out_and_put_back_gives_the_same_bytes() {
        let before = [element_of(2, &[1]), element_of(0xa1, &[2, 1, 5])];
        let lens = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000];
        for len in lens {
            for after in [vec![], vec![element_of(0xa4, &[0; 90])]] {
                let certificate = vec![7; len];
                let field = element_of(0xa3, &certificate);
                let bare = session(&[&before[..], &after].concat());
                let whole = session(&[&before[..], &[field], &after].concat());
                let fields = Fields::read(&whole).expect("well formed");
                assert_eq!(fields.certificate, Some(&certificate[..]));
                assert_eq!(*fields.write(None), bare);
                let fields = Fields::read(&bare).expect("well formed");
                assert_eq!(fields.certificate, None);
                let again = fields.write(Some(&certificate));
                assert_eq!(*again, whole);
                assert_eq!(again.capacity(), again.len());
            }
        }
    }

    #[test]
    fn malformed_sessions_are_not_read() {
        let version = || element_of(2, &[1]);
        let certificate = || element_of(0xa3, &[1, 2]);
        let valid = session(&[version(), certificate()]);
        assert!(Fields::read(&valid).is_some());
        for len in 0..valid.len() {
            assert!(Fields::read(&valid[..len]).is_none(), "cut at {len}");
        }
        for bad in [
            [&valid[..], &[0]].concat(),
            element_of(0x31, &version()),
            session(&[certificate(), certificate()]),
            session(&[element_of(0xa4, &[]), certificate()]),
            session(&[certificate(), version()]),
            session(&[version(), element_of(0x83, &[1, 2])]),
            session(&[version(), vec![0xbf, 0x20, 0]]),
            // Lengths: indefinite, not minimal, and longer than the input.
            vec![SEQUENCE, 0x80, 2, 1, 1, 0, 0],
            vec![SEQUENCE, 0x81, 3, 2, 1, 1],
            vec![SEQUENCE, 0x82, 0, 0x80],
            [&[SEQUENCE, 0x85, 1, 0, 0, 0, 3][..], &version()].concat(),
            vec![SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff],
            vec![SEQUENCE, 0xff],
        ] {
            assert!(Fields::read(&bad).is_none(), "{bad:02x?}");
        }
    }
}
