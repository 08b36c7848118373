//! A session as plain data: what is sealed, and nothing that is not needed to offer it again.

use std::fmt;
use std::time::Duration;
use store_core::{SessionKey, Timestamp, Usage};
use zeroize::Zeroizing;

/// A session in a form that can leave its process: the library's own encoding of it, with what
/// the store and the backend must know beside it.
///
/// Its encoding is exact: every field has its length, and bytes left over are a reason to reject.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The server that it is for.
    pub key: SessionKey,
    /// The backend and the format of `session` and `facts`, a number that the backend chooses: a
    /// record of another format is not decoded.
    pub format: u32,
    /// Whether the session may be used once or often.
    pub usage: Usage,
    /// When the last full handshake took place that it descends from.
    pub established: Timestamp,
    /// From when on it may no longer be offered.
    pub expires: Timestamp,
    /// What the backend must know to decide who may use the session, such as how its peer was
    /// verified.
    pub facts: Vec<u8>,
    /// The session, in the library's own encoding. Wiped when dropped.
    pub session: Zeroizing<Vec<u8>>,
}

impl Record {
    /// The part that is encrypted. `expires` and `format` are not in it: they stand in the clear
    /// before it, bound to it.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = self.key.as_key().encode();
        let parts: [&[u8]; 3] = [&key, &self.facts, &self.session];
        let room = 1 + 8 + parts.iter().map(|part| 4 + part.len()).sum::<usize>();
        // Never grows: a buffer that moved would leave secrets behind.
        let mut out = Zeroizing::new(Vec::with_capacity(room));
        out.push(match self.usage {
            Usage::SingleUse => 1,
            Usage::Reusable => 2,
        });
        out.extend(millis(self.established).to_be_bytes());
        for part in parts {
            // Longer than a session can be; a reader would reject it, too.
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            out.extend(len.to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// The record that was encoded so, with what stood in the clear; `None` if it is not exactly
    /// one.
    pub(crate) fn decode(mut plain: &[u8], format: u32, expires: Timestamp) -> Option<Self> {
        let usage = match take::<1>(&mut plain)? {
            [1] => Usage::SingleUse,
            [2] => Usage::Reusable,
            _ => return None,
        };
        let established = timestamp(u64::from_be_bytes(take(&mut plain)?));
        let key = SessionKey::decode(take_part(&mut plain)?)?;
        let facts = take_part(&mut plain)?.to_vec();
        let session = Zeroizing::new(take_part(&mut plain)?.to_vec());
        plain.is_empty().then_some(Self {
            key,
            format,
            usage,
            established,
            expires,
            facts,
            session,
        })
    }
}

impl fmt::Debug for Record {
    /// Shows everything but the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("format", &self.format)
            .field("usage", &self.usage)
            .field("established", &self.established)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A point in time as it is written: milliseconds since the Unix epoch.
pub(crate) fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// The point in time that was written so.
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_millis(millis))
}

/// The next `N` bytes.
pub(crate) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*head)
}

fn take_part<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(u32::from_be_bytes(take(from)?)).ok()?;
    let (part, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::{KeyRef, SecurityDomain};

    fn record() -> Record {
        let domain = SecurityDomain::from([9; 32]);
        Record {
            key: KeyRef::new(&domain, "example.com").to_key(),
            format: 7,
            usage: Usage::Reusable,
            established: timestamp(1_234),
            expires: timestamp(5_678),
            facts: b"facts".to_vec(),
            session: b"session".to_vec().into(),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let record = record();
        let decoded = Record::decode(&record.encode(), record.format, record.expires);
        assert_eq!(decoded, Some(record));
    }

    /// R23: exact length; nothing may be missing and nothing may be left.
    #[test]
    fn any_other_length_is_rejected() {
        let (record, plain) = (record(), record().encode());
        let decode = |plain: &[u8]| Record::decode(plain, record.format, record.expires);
        for len in 0..plain.len() {
            assert_eq!(decode(&plain[..len]), None, "{len}");
        }
        let longer: Vec<u8> = plain.iter().copied().chain([0]).collect();
        assert_eq!(decode(&longer), None);
    }

    #[test]
    fn an_unknown_usage_is_rejected() {
        let mut plain = record().encode();
        plain[0] = 3;
        assert_eq!(Record::decode(&plain, 7, timestamp(0)), None);
    }

    /// The buffer is made for what goes into it.
    #[test]
    fn encoding_never_moves() {
        let plain = record().encode();
        assert_eq!(plain.capacity(), plain.len());
    }
}
