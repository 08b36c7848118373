//! The certificate inside a session's DER: taken out, and put back in.
//!
//! OpenSSL writes a session as a `SEQUENCE` whose optional fields have tags of their own in
//! ascending order; the peer's certificate is field 3. It is most of the bytes, and the same in all
//! sessions of one server.

use zeroize::Zeroizing;

const SEQUENCE: u8 = 0x30;
/// What an optional field's tag is made of: a class, whether it is constructed, and its number.
const CONTEXT: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
const NUMBER: u8 = 0x1f;
const PEER: u8 = 3;

/// A session's fields.
pub(crate) struct Fields<'a> {
    before: &'a [u8],
    /// The peer's certificate.
    pub(crate) peer: Option<&'a [u8]>,
    after: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a session that OpenSSL wrote; `None` if it cannot have written this. What the
    /// fields say is not looked at.
    pub(crate) fn read(session: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, fields, []) = element(session)? else {
            return None;
        };
        let mut last = None;
        let mut peer = None;
        // Where the certificate begins, or would, and where it ends.
        let (mut begin, mut end) = (fields.len(), fields.len());
        let mut rest = fields;
        while !rest.is_empty() {
            let at = fields.len() - rest.len();
            let (tag, content, next) = element(rest)?;
            let after = fields.len() - next.len();
            rest = next;
            let number = number(tag);
            if number < last || (number == last && number.is_some()) {
                return None; // out of order, or twice
            }
            if last < Some(PEER) && number >= Some(PEER) {
                begin = at;
                end = at;
            }
            if number == Some(PEER) {
                if tag & CONSTRUCTED == 0 {
                    return None;
                }
                peer = Some(content);
                end = after;
            }
            last = number;
        }
        Some(Self {
            before: &fields[..begin],
            peer,
            after: &fields[end..],
        })
    }

    /// The session with this certificate of its peer, or without one. As long as it must be and no
    /// longer.
    pub(crate) fn write(&self, peer: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
        let field = peer.map_or(0, |peer| header_len(peer.len()) + peer.len());
        let fields = self.before.len() + field + self.after.len();
        // Never grown, since that would leave a copy behind.
        let mut out = Zeroizing::new(Vec::with_capacity(header_len(fields) + fields));
        put_header(&mut out, SEQUENCE, fields);
        out.extend_from_slice(self.before);
        if let Some(peer) = peer {
            put_header(&mut out, CONTEXT | CONSTRUCTED | PEER, peer.len());
            out.extend_from_slice(peer);
        }
        out.extend_from_slice(self.after);
        out
    }
}

/// The number of an optional field.
fn number(tag: u8) -> Option<u8> {
    (tag & 0xc0 == CONTEXT).then_some(tag & NUMBER)
}

/// The first element: its tag, its content, and what follows.
fn element(from: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = from.split_first()?;
    if tag & NUMBER == NUMBER {
        return None; // a number of more than a byte: there is no such field
    }
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > size_of::<u32>() {
            return None;
        }
        let len = digits
            .iter()
            .fold(0_usize, |len, digit| len << 8 | usize::from(*digit));
        // One way to write a length, the shortest.
        if header_len(len) != 2 + digits.len() {
            return None;
        }
        (len, rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// Bytes of a tag and a length.
fn header_len(len: usize) -> usize {
    if len < 0x80 { 2 } else { 2 + digits(len) }
}

fn put_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    let bytes = len.to_be_bytes();
    let digits = digits(len);
    if let [short @ ..0x80] = bytes[bytes.len() - digits..] {
        out.push(short);
    } else {
        // At most eight.
        out.push(0x80 | u8::try_from(digits).unwrap_or_default());
        out.extend_from_slice(&bytes[bytes.len() - digits..]);
    }
}

/// Bytes of a length without zeros in front, at least one.
fn digits(len: usize) -> usize {
    let zeros = len.to_be_bytes().into_iter().take_while(|byte| *byte == 0);
    (size_of::<usize>() - zeros.count()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element_of(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_header(&mut out, tag, content.len());
        out.extend_from_slice(content);
        out
    }

    fn session(fields: &[Vec<u8>]) -> Vec<u8> {
        element_of(SEQUENCE, &fields.concat())
    }

    /// What comes before and after, with certificates and sessions of every length of a length.
    #[test]
    fn out_and_in_again_is_the_same() {
        let before = [element_of(2, &[1]), element_of(0xa1, &[2, 1, 5])];
        let lens = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000];
        for len in lens {
            for after in [vec![], vec![element_of(0xa4, &[0; 90])]] {
                let certificate = vec![7; len];
                let own = element_of(0xa3, &certificate);
                let bare = session(&[&before[..], &after].concat());
                let whole = session(&[&before[..], &[own], &after].concat());
                let fields = Fields::read(&whole).expect("well formed");
                assert_eq!(fields.peer, Some(&certificate[..]));
                assert_eq!(*fields.write(None), bare);
                let fields = Fields::read(&bare).expect("well formed");
                assert_eq!(fields.peer, None);
                let again = fields.write(Some(&certificate));
                assert_eq!(*again, whole);
                assert_eq!(again.capacity(), again.len());
            }
        }
    }

    #[test]
    fn what_cannot_be_a_session_is_refused() {
        let version = || element_of(2, &[1]);
        let peer = || element_of(0xa3, &[1, 2]);
        let good = session(&[version(), peer()]);
        assert!(Fields::read(&good).is_some());
        for len in 0..good.len() {
            assert!(Fields::read(&good[..len]).is_none(), "cut at {len}");
        }
        for bad in [
            [&good[..], &[0]].concat(),
            element_of(0x31, &version()),
            session(&[peer(), peer()]),
            session(&[element_of(0xa4, &[]), peer()]),
            session(&[peer(), version()]),
            session(&[version(), element_of(0x83, &[1, 2])]),
            session(&[version(), vec![0xbf, 0x20, 0]]),
            // Lengths: without an end, longer than needed, and longer than anything.
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
